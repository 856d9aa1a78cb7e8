"""Whatever an object names is there, and fits: one function per kind of object."""

from collections.abc import Callable, Iterator

from tests.support.k8s.check_pod_references import dead_pod_references
from tests.support.k8s.manifests import Manifests, Object, matches

#: The certificate, made by the operator's own means before the first apply: see
#: docs/install/kubernetes.md.
FROM_OUTSIDE = frozenset({"findme-tls"})


def dead_references(manifests: Manifests) -> list[str]:
    """What is named and is not there."""
    found = list(dead_pod_references(manifests))
    for each in manifests.objects:
        look = _BY_KIND.get(each["kind"])
        if look is not None:
            name = f"{each['kind']}/{each['metadata']['name']}"
            found += [f"{name} {problem}" for problem in look(manifests, each["spec"])]
    return found


def _service(manifests: Manifests, spec: Object) -> Iterator[str]:
    selector = {"matchLabels": spec["selector"]}
    pods = [workload for workload in manifests.workloads if matches(selector, workload.labels)]
    if not pods:
        yield "selects no pod"
    for workload in pods:
        for port in spec["ports"]:
            if workload.ports.get(port["targetPort"]) != port["port"]:
                wanted = f"{port['targetPort']} of {port['port']}"
                yield f"finds that {workload.name} has no port {wanted}"


def _selecting(manifests: Manifests, spec: Object) -> Iterator[str]:
    if not any(matches(spec["selector"], pod) for pod in manifests.pods.values()):
        yield "selects no pod"


def _scaler(manifests: Manifests, spec: Object) -> Iterator[str]:
    target = spec["scaleTargetRef"]
    if not manifests.has(target["kind"], target["name"]):
        yield f"scales {target['name']}, which is not there"
    elif "replicas" in manifests.get(target["kind"], target["name"])["spec"]:
        yield f"and {target['name']} both say how many replicas"
    for trigger in spec.get("triggers", []):
        name = trigger["authenticationRef"]["name"]
        if not manifests.has("TriggerAuthentication", name):
            yield f"has no authentication {name}"


def _authentication(manifests: Manifests, spec: Object) -> Iterator[str]:
    for reference in spec["secretTargetRef"]:
        if reference["key"] not in manifests.secrets.get(reference["name"], set()):
            yield f"has no {reference['key']} in {reference['name']}"


def _http_route(manifests: Manifests, spec: Object) -> Iterator[str]:
    for parent in spec["parentRefs"]:
        if not manifests.has("Gateway", parent["name"]):
            yield f"has no gateway {parent['name']}"
            continue
        listeners = manifests.get("Gateway", parent["name"])["spec"]["listeners"]
        if parent["sectionName"] not in {listener["name"] for listener in listeners}:
            yield f"has no listener {parent['sectionName']}"
    for rule in spec["rules"]:
        for backend in rule.get("backendRefs", []):
            if backend["port"] not in manifests.services.get(backend["name"], {}).values():
                yield f"leads to {backend['name']}:{backend['port']}, which is not there"


def _gateway(manifests: Manifests, spec: Object) -> Iterator[str]:
    for listener in spec["listeners"]:
        for certificate in listener.get("tls", {}).get("certificateRefs", []):
            if certificate["name"] not in manifests.secrets.keys() | FROM_OUTSIDE:
                yield f"has no certificate {certificate['name']}"


def _ingress(manifests: Manifests, spec: Object) -> Iterator[str]:
    for rule in spec["rules"]:
        for path in rule["http"]["paths"]:
            backend = path["backend"]["service"]
            if backend["port"]["name"] not in manifests.services.get(backend["name"], {}):
                yield f"leads to {backend['name']}:{backend['port']['name']}, which is not there"


def _database(manifests: Manifests, spec: Object) -> Iterator[str]:
    for role in spec.get("managed", {}).get("roles", []):
        if not {"username", "password"} <= manifests.secrets.get(
            role["passwordSecret"]["name"], set()
        ):
            yield f"has no password for {role['name']}"
    for plugin in spec.get("plugins", []):
        store = plugin["parameters"]["barmanObjectName"]
        if not manifests.has("ObjectStore", store):
            yield f"backs up to {store}, which is not there"


def _backup(manifests: Manifests, spec: Object) -> Iterator[str]:
    if not manifests.has("Cluster", spec["cluster"]["name"]):
        yield f"has no cluster {spec['cluster']['name']}"


def _external_secret(manifests: Manifests, spec: Object) -> Iterator[str]:
    store = spec["secretStoreRef"]
    if not manifests.has(store["kind"], store["name"]):
        yield f"has no store {store['name']}"


def _secret_store(manifests: Manifests, spec: Object) -> Iterator[str]:
    account = spec["provider"]["aws"]["auth"]["jwt"]["serviceAccountRef"]["name"]
    if not manifests.has("ServiceAccount", account):
        yield f"has no service account {account}"


_BY_KIND: dict[str, Callable[[Manifests, Object], Iterator[str]]] = {
    "Service": _service,
    "PodDisruptionBudget": _selecting,
    "PodMonitor": _selecting,
    "HorizontalPodAutoscaler": _scaler,
    "ScaledObject": _scaler,
    "TriggerAuthentication": _authentication,
    "HTTPRoute": _http_route,
    "Gateway": _gateway,
    "Ingress": _ingress,
    "Cluster": _database,
    "ScheduledBackup": _backup,
    "ExternalSecret": _external_secret,
    "SecretStore": _secret_store,
}
