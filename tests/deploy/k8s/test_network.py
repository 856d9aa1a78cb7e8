"""The network lets through the design's arrows, and nothing else."""

from typing import Any

import pytest

from tests.support.k8s.check_network import idle_policies, wrong_arrows
from tests.support.k8s.manifests import OVERLAYS, Change, Manifests
from tests.support.k8s.render import rendered


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_exactly_the_arrows_of_the_design_pass(overlay: str) -> None:
    assert wrong_arrows(rendered(overlay), overlay) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_policy_selects_somebody(overlay: str) -> None:
    assert list(idle_policies(rendered(overlay))) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_policy_could_be_left_out(overlay: str) -> None:
    idle = []
    for policy in rendered(overlay).of("NetworkPolicy"):
        manifests = rendered(overlay)
        manifests.objects.remove(policy)
        if not wrong_arrows(manifests, overlay):
            idle.append(policy["metadata"]["name"])
    assert idle == []


def rule(manifests: Manifests, name: str, direction: str = "ingress") -> Any:
    return manifests.get("NetworkPolicy", name)["spec"][direction][0]


def any_service_to_recognition(manifests: Manifests) -> None:
    ours = {"matchLabels": {"app.kubernetes.io/name": "findme"}}
    manifests.get("NetworkPolicy", "services-to-recognition")["spec"]["podSelector"] = ours
    rule(manifests, "recognition-from-services")["from"] = [{"podSelector": ours}]


WRONG: dict[str, Change] = {
    "keda -> findme-mq:5672 passes": lambda m: rule(m, "broker-from-keda").pop("ports"),
    "stranger -> ingest:8001 passes": lambda m: rule(m, "services-from-gateway")["from"][0].update(
        namespaceSelector={}
    ),
    "grafana -> media:8004 passes": lambda m: rule(m, "services-from-prometheus")["from"][0].pop(
        "podSelector"
    ),
    "ingest -> metadata:443 passes": lambda m: rule(m, "services-to-objects", "egress")["to"][0][
        "ipBlock"
    ].pop("except"),
    "gateway -> recognition:8002 passes": lambda m: m.get("NetworkPolicy", "services-from-gateway")[
        "spec"
    ].update(podSelector={}),
    "media -> recognition:8002 passes": any_service_to_recognition,
    "ingest -> findme-db:5432 does not pass": lambda m: rule(m, "database-from-findme")["ports"][
        0
    ].update(port=5433),
    "gateway -> gallery:8003 does not pass": lambda m: rule(m, "services-from-gateway")["ports"][
        0
    ].update(port="web"),
}


@pytest.mark.parametrize("complaint", WRONG)
def test_an_arrow_too_many_or_too_few_is_found(complaint: str) -> None:
    manifests = rendered("production")
    WRONG[complaint](manifests)
    assert complaint in wrong_arrows(manifests, "production")


def test_a_policy_for_nobody_is_found() -> None:
    manifests = rendered("production")
    policy = manifests.get("NetworkPolicy", "services-to-recognition")
    policy["spec"]["podSelector"]["matchExpressions"][0]["values"] = ["uploads"]
    assert list(idle_policies(manifests)) == [
        "NetworkPolicy/services-to-recognition selects no pod"
    ]
