"""Pods that are restricted, cannot reach the cluster's API, and end without loss."""

from collections.abc import Iterator

from libs.common.messaging.bus.subscriptions import STOP_DEADLINE_SECONDS
from libs.common.web.serve import GRACEFUL_SHUTDOWN_SECONDS
from tests.support.k8s.manifests import SERVICES, Manifests, Object, Workload

#: What `restricted` allows; no hostPath, no node's anything.
_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_OF_THE_HOST = ("hostNetwork", "hostPID", "hostIPC")


def not_restricted(manifests: Manifests) -> list[str]:
    """Where a pod breaks the restricted Pod Security Standard, or has a writable root."""
    problems = [
        problem
        for workload in manifests.workloads
        for problem in (
            *_pod(workload),
            *(
                f"{workload.name}/{container['name']}: {problem}"
                for container in workload.containers
                for problem in _container(container)
            ),
        )
    ]
    problems += [
        f"the namespace {each['metadata']['name']} does not enforce restricted"
        for each in manifests.of("Namespace")
        if each["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted"
    ]
    return problems


def _pod(workload: Workload) -> Iterator[str]:
    context = workload.spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True:
        yield f"{workload.name} may run as root"
    if context.get("runAsUser", 0) == 0:
        yield f"{workload.name} does not say as which user it runs"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{workload.name} has no seccomp profile"
    if context.get("sysctls"):
        yield f"{workload.name} sets sysctls"
    for name in _OF_THE_HOST:
        if workload.spec.get(name):
            yield f"{workload.name} has {name}"
    for volume in workload.spec.get("volumes", []):
        for kind in volume.keys() - {"name"} - _VOLUMES:
            yield f"{workload.name} has a volume of the kind {kind}"
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"{workload.name} has the volume {volume['name']} without a limit"


def _container(container: Object) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False:
        yield "privileges may escalate"
    if context.get("privileged"):
        yield "it is privileged"
    if context.get("capabilities", {}).get("drop") != ["ALL"] or context["capabilities"].get("add"):
        yield "it keeps capabilities"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "its root is writable"
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        yield "it runs as root"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "it has a port of the host"
    resources = container.get("resources", {})
    if not {"cpu", "memory"} <= resources.get("requests", {}).keys():
        yield "it does not request cpu and memory"
    if "memory" not in resources.get("limits", {}):
        yield "its memory has no limit"


def with_tokens(manifests: Manifests) -> list[str]:
    """Whatever could talk to the cluster's API."""
    return [
        *(f"{each['kind']}/{each['metadata']['name']} grants rights" for each in _rbac(manifests)),
        *(
            f"ServiceAccount/{each['metadata']['name']} mounts tokens"
            for each in manifests.of("ServiceAccount")
            if each.get("automountServiceAccountToken") is not False
        ),
        *(
            f"{each.name} mounts a token"
            for each in manifests.workloads
            if each.spec.get("automountServiceAccountToken") is not False
            or any(
                "serviceAccountToken" in source
                for volume in each.spec.get("volumes", [])
                for source in volume.get("projected", {}).get("sources", [])
            )
        ),
    ]


def _rbac(manifests: Manifests) -> list[Object]:
    return manifests.of("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def ends_badly(manifests: Manifests) -> list[str]:
    """Services that are killed with work in hand, or replaced before others can serve."""
    problems = []
    for name in SERVICES:
        workload = manifests.workload("Deployment", name)
        (container,) = workload.spec["containers"]
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        needed = pause + STOP_DEADLINE_SECONDS + GRACEFUL_SHUTDOWN_SECONDS
        if workload.spec.get("terminationGracePeriodSeconds", 30) < needed:
            problems.append(f"{workload.name} needs {needed} s to end")
        if not pause:
            problems.append(f"{workload.name} stops before the proxies know")
        strategy = workload.owner["spec"].get("strategy", {}).get("rollingUpdate", {})
        if strategy.get("maxUnavailable") != 0:
            problems.append(f"{workload.name} ends pods before new ones are ready")
        if len(workload.spec.get("topologySpreadConstraints", [])) < 2:
            problems.append(f"{workload.name} may have all its pods on one node")
    return problems


def cannot_be_drained(manifests: Manifests) -> list[str]:
    """Services whose budget would stop a drain for ever, or that have none."""
    problems = []
    for name in SERVICES:
        if not manifests.has("PodDisruptionBudget", name):
            problems.append(f"{name} has no disruption budget")
            continue
        spec = manifests.get("PodDisruptionBudget", name)["spec"]
        allowed = spec.get(
            "maxUnavailable", min_replicas(manifests, name) - spec.get("minAvailable", 0)
        )
        if allowed < 1:
            problems.append(f"{name} allows no disruption at its fewest replicas")
    return problems


def min_replicas(manifests: Manifests, name: str) -> int:
    """The fewest replicas of a service."""
    return _replicas(manifests, name)[0]


def max_replicas(manifests: Manifests, name: str) -> int:
    """The most replicas of a service."""
    return _replicas(manifests, name)[1]


def _replicas(manifests: Manifests, name: str) -> tuple[int, int]:
    if manifests.has("HorizontalPodAutoscaler", name):
        spec = manifests.get("HorizontalPodAutoscaler", name)["spec"]
        return spec["minReplicas"], spec["maxReplicas"]
    if manifests.has("ScaledObject", name):
        spec = manifests.get("ScaledObject", name)["spec"]
        return spec["minReplicaCount"], max(
            spec["maxReplicaCount"], spec.get("fallback", {}).get("replicas", 0)
        )
    replicas = manifests.get("Deployment", name)["spec"].get("replicas", 1)
    return replicas, replicas
