"""The restricted profile, no tokens, an end without loss, and nodes that can be drained."""

from typing import Any

import pytest

from tests.support.dockerfile import lineage, read_stages
from tests.support.k8s.check_pods import (
    cannot_be_drained,
    ends_badly,
    max_replicas,
    not_restricted,
    with_tokens,
)
from tests.support.k8s.manifests import K8S, OVERLAYS, SERVICES, Change, Check, Manifests
from tests.support.k8s.render import rendered

CHECKS = (not_restricted, with_tokens, ends_badly, cannot_be_drained)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("check", CHECKS)
def test_every_pod_is_as_it_must_be(check: Check, overlay: str) -> None:
    assert check(rendered(overlay)) == []


def spec(manifests: Manifests) -> Any:
    return manifests.workload("Deployment", "media").spec


def container(manifests: Manifests) -> Any:
    return spec(manifests)["containers"][0]


def context(manifests: Manifests) -> Any:
    return container(manifests)["securityContext"]


def role(manifests: Manifests) -> None:
    manifests.objects.append({"kind": "Role", "metadata": {"name": "reader"}})


def token_volume(manifests: Manifests) -> None:
    source = {"serviceAccountToken": {"path": "token"}}
    spec(manifests)["volumes"].append({"name": "t", "projected": {"sources": [source]}})


WRONG: dict[str, Change] = {
    "may run as root": lambda m: spec(m)["securityContext"].update(runAsNonRoot=False),
    "does not say as which user": lambda m: spec(m)["securityContext"].pop("runAsUser"),
    "has no seccomp profile": lambda m: spec(m)["securityContext"].pop("seccompProfile"),
    "sets sysctls": lambda m: spec(m)["securityContext"].update(sysctls=[{"name": "a"}]),
    "has hostNetwork": lambda m: spec(m).update(hostNetwork=True),
    "of the kind hostPath": lambda m: spec(m)["volumes"].append({"name": "h", "hostPath": {}}),
    "has the volume tmp without a limit": lambda m: spec(m)["volumes"][0].update(emptyDir={}),
    "privileges may escalate": lambda m: context(m).pop("allowPrivilegeEscalation"),
    "it is privileged": lambda m: context(m).update(privileged=True),
    "it keeps capabilities": lambda m: context(m)["capabilities"].update(add=["NET_RAW"]),
    "its root is writable": lambda m: context(m).update(readOnlyRootFilesystem=False),
    "it runs as root": lambda m: context(m).update(runAsUser=0),
    "a port of the host": lambda m: container(m)["ports"][0].update(hostPort=80),
    "does not request cpu and memory": lambda m: container(m)["resources"].pop("requests"),
    "its memory has no limit": lambda m: container(m)["resources"].pop("limits"),
    "does not enforce restricted": lambda m: m.get("Namespace", "findme")["metadata"][
        "labels"
    ].clear(),
    "Role/reader grants rights": role,
    "ServiceAccount/media mounts tokens": lambda m: m.get("ServiceAccount", "media").pop(
        "automountServiceAccountToken"
    ),
    "Deployment/media mounts a token": lambda m: spec(m).pop("automountServiceAccountToken"),
    "media mounts a token": token_volume,
    "needs 45.0 s to end": lambda m: spec(m).update(terminationGracePeriodSeconds=44),
    "stops before the proxies know": lambda m: container(m).pop("lifecycle"),
    "ends pods before new ones are ready": lambda m: m.get("Deployment", "media")["spec"].pop(
        "strategy"
    ),
    "all its pods on one node": lambda m: spec(m)["topologySpreadConstraints"].pop(),
    "media has no disruption budget": lambda m: m.objects.remove(
        m.get("PodDisruptionBudget", "media")
    ),
    "media allows no disruption": lambda m: m.get("PodDisruptionBudget", "media")["spec"].update(
        maxUnavailable=0
    ),
}


@pytest.mark.parametrize("complaint", WRONG)
def test_a_pod_that_is_not_is_found(complaint: str) -> None:
    manifests = rendered("production")
    WRONG[complaint](manifests)
    assert complaint in "\n".join(problem for check in CHECKS for problem in check(manifests))


def test_a_budget_by_the_fewest_available_is_weighed_against_the_fewest_replicas() -> None:
    manifests = rendered("production")
    budget = manifests.get("PodDisruptionBudget", "gallery")["spec"]
    del budget["maxUnavailable"]
    budget["minAvailable"] = 2
    assert cannot_be_drained(manifests) == ["gallery allows no disruption at its fewest replicas"]
    budget["minAvailable"] = 1
    assert cannot_be_drained(manifests) == []


def test_what_keda_falls_back_to_counts_as_a_number_of_replicas() -> None:
    manifests = rendered("production")
    manifests.get("ScaledObject", "recognition")["spec"]["fallback"]["replicas"] = 40
    assert max_replicas(manifests, "recognition") == 40
    assert max_replicas(rendered("dev"), "recognition") == 1


def test_rabbitmq_is_held_to_the_restricted_profile_too() -> None:
    cluster = rendered("production").get("RabbitmqCluster", "findme-mq")
    pod = cluster["spec"]["override"]["statefulSet"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for each in (*pod["initContainers"], *pod["containers"]):
        assert each["securityContext"]["allowPrivilegeEscalation"] is False
        assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", [*SERVICES, "tools"])
def test_pods_run_as_the_user_that_the_image_is_made_for(name: str) -> None:
    image = lineage(read_stages(K8S.parents[1] / "Dockerfile"), name)
    user = [each.value for stage in image for each in stage.all("USER")][-1]
    for workload in rendered("production").workloads:
        if f"/findme/{name}:" in workload.containers[0]["image"]:
            security = workload.spec["securityContext"]
            assert f"{security['runAsUser']}:{security['runAsGroup']}" == user
            assert security["fsGroup"] == security["runAsGroup"]
