from pathlib import Path

from standalone.nginx_routes import locations

GATEWAY = Path(__file__).parents[2] / "deploy" / "compose" / "gateway"


def test_the_gateways_locations_are_those_of_the_one_table() -> None:
    message = "python -m standalone.nginx_routes > deploy/compose/gateway/routes.conf"
    assert (GATEWAY / "routes.conf").read_text() == locations(), message
