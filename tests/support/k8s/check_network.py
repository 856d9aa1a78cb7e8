"""The arrows that must pass, and that nothing else does."""

from collections.abc import Iterator

from tests.support.k8s.check_settings import SETTINGS
from tests.support.k8s.manifests import SERVICES, Manifests, matches
from tests.support.k8s.network import NAMESPACE, Place, allows

_PORTS = (
    25,
    53,
    80,
    443,
    465,
    587,
    4369,
    5432,
    5672,
    6443,
    8000,
    8001,
    8002,
    8003,
    8004,
    9187,
    15672,
    15692,
    25672,
)
_GATEWAYS = {"dev": "kube-system", "production": "envoy-gateway-system"}

Arrow = tuple[str, str, int]


def places(manifests: Manifests, overlay: str) -> dict[str, Place]:
    """Everybody who may try: our pods, those of the operators, others', and addresses."""
    ours = {
        name: Place(name, NAMESPACE, labels, ports=_named_ports(manifests, name))
        for name, labels in manifests.pods.items()
    }
    others = [
        Place("gateway", _GATEWAYS[overlay], {"app.kubernetes.io/name": "traefik"}),
        Place("prometheus", "monitoring", {"app.kubernetes.io/name": "prometheus"}),
        Place("grafana", "monitoring", {"app.kubernetes.io/name": "grafana"}),
        Place("keda", "keda", {"app": "keda-operator"}),
        Place("cnpg", "cnpg-system", {"app.kubernetes.io/name": "cloudnative-pg"}),
        Place("dns", "kube-system", {"k8s-app": "kube-dns"}),
        Place("stranger", "default", {"app.kubernetes.io/name": "findme"}),
        Place("aws", address="52.95.110.1"),
        Place("metadata", address="169.254.169.254"),
    ]
    return ours | {place.name: place for place in others}


def arrows(overlay: str) -> set[Arrow]:
    """Who talks to whom: the design's picture, as pairs."""
    ports = {"ingest": 8001, "recognition": 8002, "gallery": 8003, "media": 8004}
    pods = (*SERVICES, "findme-migrate", "findme-tools")
    found: set[Arrow] = {
        (name, asked, ports[asked])
        for name in SERVICES
        for asked in SERVICES
        if f"{asked}_url" in SETTINGS[name].model_fields
    }
    for name in pods:
        found |= {(name, "findme-db", 5432), (name, "findme-mq", 5672)}
    found |= {("gateway", name, ports[name]) for name in ("ingest", "gallery", "media")}
    # Mail servers are anywhere outside; Amazon's is as good as any.
    found |= {("gallery", "aws", port) for port in (25, 465, 587)}
    if overlay == "production":
        found |= {(name, "aws", 443) for name in (*SERVICES, "findme-db", "findme-mq")}
        found |= {(name, "aws", 6443) for name in ("findme-db", "findme-mq")}
        found |= {("prometheus", name, ports[name]) for name in SERVICES}
        found |= {("prometheus", "findme-mq", 15692), ("prometheus", "findme-db", 9187)}
        found |= {("keda", "findme-mq", 15672)}
        found |= {("findme-mq", "findme-mq", port) for port in (4369, 25672)}
        found |= {("findme-db", "findme-db", port) for port in (5432, 8000)}
        found |= {("cnpg", "findme-db", port) for port in (5432, 8000)}
    return found


def wrong_arrows(manifests: Manifests, overlay: str) -> list[str]:
    """Connections that must pass and do not, or pass and must not."""
    everybody = places(manifests, overlay)
    passing = {
        (source.name, target.name, port)
        for source in everybody.values()
        for target in everybody.values()
        if NAMESPACE in (source.namespace, target.namespace)
        for port in _PORTS
        if allows(manifests, source, target, port)
    }
    resolving = {(name, "dns", 53) for name in manifests.pods}
    # The cluster's API has no pods: its address may be anywhere.
    passing -= {arrow for arrow in passing if _to_the_api(arrow)}
    wanted = (arrows(overlay) | resolving) - {a for a in arrows(overlay) if _to_the_api(a)}
    return [
        *(f"{_text(arrow)} does not pass" for arrow in sorted(wanted - passing)),
        *(f"{_text(arrow)} passes" for arrow in sorted(passing - wanted)),
    ]


def idle_policies(manifests: Manifests) -> Iterator[str]:
    """Policies that select nobody."""
    for each in manifests.of("NetworkPolicy"):
        selector = each["spec"]["podSelector"]
        if not any(matches(selector, labels) for labels in manifests.pods.values()):
            yield f"NetworkPolicy/{each['metadata']['name']} selects no pod"


def _to_the_api(arrow: Arrow) -> bool:
    source, _, port = arrow
    return source in ("findme-db", "findme-mq") and port in (443, 6443)


def _text(arrow: Arrow) -> str:
    source, target, port = arrow
    return f"{source} -> {target}:{port}"


def _named_ports(manifests: Manifests, name: str) -> dict[str, int]:
    for workload in manifests.workloads:
        if workload.owner["metadata"]["name"] == name:
            return workload.ports
    return {}
