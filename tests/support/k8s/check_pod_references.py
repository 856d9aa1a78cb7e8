"""Whatever a pod names is there: its own labels, account, secrets, settings and volumes."""

from collections.abc import Iterator

from tests.support.k8s.manifests import Manifests, Object, Workload, matches


def dead_pod_references(manifests: Manifests) -> Iterator[str]:
    """What is named and is not there."""
    for workload in manifests.workloads:
        for look in (_selector, _account, _environment, _volumes, _mounts):
            for problem in look(manifests, workload):
                yield f"{workload.name} {problem}"


def _selector(manifests: Manifests, workload: Workload) -> Iterator[str]:
    """A workload's selector is immutable: it must hold, and hold nothing that changes."""
    selector = workload.owner["spec"].get("selector")
    if selector is None:
        return  # a Job's is made by the cluster
    if not matches(selector, workload.labels):
        yield "does not select its own pods"
    if "app.kubernetes.io/version" in selector["matchLabels"]:
        yield "has a selector that changes with the release"
    for name, labels in manifests.pods.items():
        if matches(selector, labels) and name != workload.owner["metadata"]["name"]:
            yield f"selects the pods of {name}"


def _account(manifests: Manifests, workload: Workload) -> Iterator[str]:
    account = workload.spec.get("serviceAccountName")
    if account is not None and not manifests.has("ServiceAccount", account):
        yield f"has no service account {account}"


def _environment(manifests: Manifests, workload: Workload) -> Iterator[str]:
    for container in workload.containers:
        for source in container.get("envFrom", []):
            if not manifests.has("ConfigMap", source["configMapRef"]["name"]):
                yield f"has no config map {source['configMapRef']['name']}"
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference is not None:
                yield from _key(manifests, reference["name"], reference["key"])


def _volumes(manifests: Manifests, workload: Workload) -> Iterator[str]:
    for volume in workload.spec.get("volumes", []):
        for source in volume.get("projected", {}).get("sources", []):
            for item in source["secret"]["items"]:
                yield from _key(manifests, source["secret"]["name"], item["key"])
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if claim is not None and not manifests.has("PersistentVolumeClaim", claim):
            yield f"has no volume claim {claim}"
        config = volume.get("configMap", {}).get("name")
        if config is not None and not manifests.has("ConfigMap", config):
            yield f"has no config map {config}"


def _mounts(_: Manifests, workload: Workload) -> Iterator[str]:
    templates: list[Object] = workload.owner["spec"].get("volumeClaimTemplates", [])
    made = {each["name"] for each in workload.spec.get("volumes", [])} | {
        each["metadata"]["name"] for each in templates
    }
    mounted = {
        mount["name"] for each in workload.containers for mount in each.get("volumeMounts", [])
    }
    for name in sorted(mounted - made):
        yield f"mounts {name}, which is no volume"
    for name in sorted(made - mounted):
        yield f"has the volume {name} and mounts it nowhere"


def _key(manifests: Manifests, name: str, key: str) -> Iterator[str]:
    if key not in manifests.secrets.get(name, set()):
        yield f"wants {key} of the secret {name}, which has none"
