from pathlib import Path

from standalone.gateway_routes import nginx_locations

GATEWAY = Path(__file__).parents[2] / "deploy" / "compose" / "gateway"


def test_the_gateways_locations_are_those_of_the_one_table() -> None:
    message = "python -m standalone.gateway_routes > deploy/compose/gateway/routes.conf"
    assert (GATEWAY / "routes.conf").read_text() == nginx_locations(), message
