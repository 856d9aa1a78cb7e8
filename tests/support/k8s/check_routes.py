"""Which service a path reaches from outside, as the gateways would decide it."""

import re
from collections.abc import Callable, Iterator

from tests.support.k8s.manifests import Manifests

#: Pattern and service of one rule; the longest pattern that matches decides.
Rule = tuple[str, str]
Match = Callable[[str, str], object]


def whole_path(pattern: str, path: str) -> object:
    """As Envoy matches."""
    return re.fullmatch(pattern, path)


def from_the_start(pattern: str, path: str) -> object:
    """As nginx does with an Ingress."""
    return re.match(pattern, path)


def anywhere(pattern: str, path: str) -> object:
    """As Traefik does."""
    return re.search(pattern, path)


def gateway_rules(manifests: Manifests) -> list[Rule]:
    """Those of the HTTPRoute that lead to services."""
    route = manifests.get("HTTPRoute", "findme")
    return [
        (match["path"]["value"], backend["name"])
        for rule in route["spec"]["rules"]
        for backend in rule.get("backendRefs", [])
        for match in rule["matches"]
    ]


def ingress_rules(manifests: Manifests) -> list[Rule]:
    """Those of the Ingress."""
    return [
        (path["path"], path["backend"]["service"]["name"])
        for rule in manifests.get("Ingress", "findme")["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]


def reached(rules: list[Rule], path: str, fits: Match) -> str | None:
    """The service behind the longest pattern that matches."""
    found = [(len(pattern), service) for pattern, service in rules if fits(pattern, path)]
    return max(found)[1] if found else None


def misrouted(
    rules: list[Rule], wanted: Callable[[str], str | None], paths: list[str], fits: Match
) -> Iterator[str]:
    """Paths that reach another service than the project's own table says."""
    for path in paths:
        service = reached(rules, path, fits)
        if service != wanted(path):
            yield f"{path} reaches {service}, not {wanted(path)}"
