"""The features of kustomize that deploy/k8s uses, for machines without kubectl.

A feature that is not known here is refused, never skipped.
"""

import copy
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.k8s.generators import GENERATED, generated, with_hashes
from tests.support.k8s.manifests import pod_template
from tests.support.k8s.patches import apply_patch
from tests.support.k8s.replacements import replace

Object = dict[str, Any]

CLUSTER_WIDE = frozenset({"Namespace"})
LOCAL = "config.kubernetes.io/local-config"
_KNOWN = frozenset(
    {
        "apiVersion",
        "kind",
        "resources",
        "components",
        "namespace",
        "configMapGenerator",
        "secretGenerator",
        "patches",
        "images",
        "replacements",
    }
)


class NotSupported(Exception):
    """The kustomization uses what this reader does not know."""


def build(folder: Path) -> list[Object]:
    """Return the objects that `kubectl kustomize` would print."""
    objects = with_hashes(_accumulated(folder, []))
    return [each for each in objects if LOCAL not in each["metadata"].get("annotations", {})]


def _accumulated(folder: Path, objects: list[Object]) -> list[Object]:
    """The objects so far, with what the folder's kustomization makes of them."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    unknown = kustomization.keys() - _KNOWN
    if unknown:
        raise NotSupported(f"{folder}: {', '.join(sorted(unknown))}")
    for name in kustomization.get("resources", []):
        path = (folder / name).resolve()
        objects += _accumulated(path, []) if path.is_dir() else _documents(path)
    for kind, key in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")):
        for generator in kustomization.get(key, []):
            _add(objects, generated(kind, generator, folder), generator.get("behavior", "create"))
    for name in kustomization.get("components", []):
        objects = _accumulated((folder / name).resolve(), objects)
    _check_unique(objects, folder)
    for patch in kustomization.get("patches", []):
        content = yaml.safe_load(
            (folder / patch["path"]).read_text() if "path" in patch else patch["patch"]
        )
        for target in _targets(objects, patch["target"]):
            apply_patch(target, content)
    _set_namespace(objects, kustomization.get("namespace"))
    for image in kustomization.get("images", []):
        _set_image(objects, image)
    for each in _replacements(folder, kustomization):
        replace(objects, each)
    return objects


def _documents(path: Path) -> list[Object]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def _add(objects: list[Object], made: Object, behavior: str) -> None:
    if behavior == "create":
        objects.append(made)
        return
    if behavior != "merge":
        raise NotSupported(f"behavior {behavior}")
    (there,) = (
        each
        for each in objects
        if each["kind"] == made["kind"] and each["metadata"]["name"] == made["metadata"]["name"]
    )
    there["data"] |= made["data"]


def _check_unique(objects: Sequence[Object], folder: Path) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    for name in names:
        if names.count(name) > 1:
            raise NotSupported(f"{folder}: {name} is there twice")


def _targets(objects: Sequence[Object], target: Object) -> Iterator[Object]:
    if target.keys() - {"kind", "name"}:
        raise NotSupported(f"a patch's target by {target}")
    found = False
    for each in objects:
        if re.fullmatch(target["kind"], each["kind"]) and re.fullmatch(
            target.get("name", ".*"), each["metadata"]["name"]
        ):
            found = True
            yield each
    if not found:
        raise NotSupported(f"a patch whose target {target} is not there")


def _set_namespace(objects: Sequence[Object], namespace: str | None) -> None:
    for each in objects:
        if namespace is not None and each["kind"] not in CLUSTER_WIDE:
            each["metadata"]["namespace"] = namespace


def _set_image(objects: Sequence[Object], image: Object) -> None:
    for each in objects:
        if each["kind"] not in ("Deployment", "StatefulSet", "Job", "CronJob"):
            continue
        spec = pod_template(each)["spec"]
        for container in (*spec.get("initContainers", []), *spec["containers"]):
            if container["image"].partition(":")[0] == image["name"]:
                container["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"


def _replacements(folder: Path, kustomization: Object) -> list[Object]:
    found: list[Object] = []
    for each in kustomization.get("replacements", []):
        found += yaml.safe_load((folder / each["path"]).read_text()) if "path" in each else [each]
    return found


def copied(objects: Sequence[Object]) -> list[Object]:
    """Objects that may be changed without changing these."""
    return copy.deepcopy([{k: v for k, v in each.items() if k != GENERATED} for each in objects])
