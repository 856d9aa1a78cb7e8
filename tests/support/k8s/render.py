"""An overlay's objects, by our own reader; kubectl, where it is installed, must agree."""

import functools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.k8s.kustomize import build, copied
from tests.support.k8s.manifests import K8S, Manifests

Object = dict[str, Any]


def has_kubectl() -> bool:
    """Whether there is a kubectl that can run kustomize."""
    return shutil.which("kubectl") is not None


def by_kubectl(overlay: Path) -> list[Object]:
    """What `kubectl kustomize` prints. Raises CalledProcessError."""
    printed = subprocess.run(
        ["kubectl", "kustomize", str(overlay)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [each for each in yaml.safe_load_all(printed) if each]


@functools.cache
def _rendered(overlay: str) -> tuple[Object, ...]:
    return tuple(build(K8S / "overlays" / overlay))


def rendered(overlay: str) -> Manifests:
    """The overlay's objects; a copy, so that a test may change them."""
    return Manifests(copied(_rendered(overlay)))
