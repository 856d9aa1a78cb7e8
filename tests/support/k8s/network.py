"""What the NetworkPolicies let through, computed as the cluster would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from tests.support.k8s.manifests import Manifests, Object, matches

NAMESPACE = "findme"


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody who sends or receives: a pod of any namespace, or an address outside."""

    name: str
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str | None = None
    #: Named ports, which policies may refer to.
    ports: Mapping[str, int] = field(default_factory=dict)


def allows(manifests: Manifests, source: Place, target: Place, port: int) -> bool:
    """Whether a connection over TCP passes the policies of both ends."""
    return _side(manifests, source, target, port, "Egress") and _side(
        manifests, target, source, port, "Ingress", receiver=target
    )


def _side(
    manifests: Manifests,
    place: Place,
    other: Place,
    port: int,
    direction: str,
    *,
    receiver: Place | None = None,
) -> bool:
    if place.namespace != NAMESPACE:
        return True  # theirs to decide
    policies = [
        each["spec"]
        for each in manifests.of("NetworkPolicy")
        if direction in each["spec"]["policyTypes"]
        and matches(each["spec"]["podSelector"], place.labels)
    ]
    if not policies:
        return True
    key, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    return any(
        _peer_fits(rule.get(peers), other)
        and _port_fits(rule.get("ports"), port, receiver or other)
        for policy in policies
        for rule in policy.get(key, [])
    )


def _peer_fits(peers: Sequence[Object] | None, other: Place) -> bool:
    return peers is None or any(_fits(peer, other) for peer in peers)


def _fits(peer: Object, other: Place) -> bool:
    if "ipBlock" in peer:
        return other.address is not None and _within(peer["ipBlock"], other.address)
    if other.namespace is None:
        return False
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace}):
            return False
    elif other.namespace != NAMESPACE:
        return False
    return matches(peer.get("podSelector", {}), other.labels)


def _within(block: Object, address: str) -> bool:
    ip = ip_address(address)
    return ip in ip_network(block["cidr"]) and not any(
        ip in ip_network(each) for each in block.get("except", [])
    )


def _port_fits(ports: Sequence[Object] | None, port: int, receiver: Place) -> bool:
    if ports is None:
        return True
    for each in ports:
        first: Any = each["port"]
        if isinstance(first, str):
            first = receiver.ports.get(first)
        if first is not None and first <= port <= each.get("endPort", first):
            return True
    return False
