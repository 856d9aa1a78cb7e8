"""kustomize's replacements: a value of one object, written into fields of others."""

import re
from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]

#: A path is of names between dots; a name with dots is in brackets.
_STEP = re.compile(r"\[([^\]]+)\]|([^.\[\]]+)")


class ReplacementFailed(Exception):
    """The source, or a field of a target, is not there."""


def replace(objects: Sequence[Object], replacement: Object) -> None:
    """Write the source's value into every target there is. Raises ReplacementFailed."""
    source = replacement["source"]
    found = _selected(objects, {"kind": source["kind"], "name": source["name"]})
    if len(found) != 1:
        raise ReplacementFailed(f"there is no {source['kind']}/{source['name']}")
    value: Any = found[0]
    for step in steps(source["fieldPath"]):
        value = value[step]
    for target in replacement["targets"]:
        # As kustomize does it: nothing to select is no error, a field that is missing is one.
        for each in _selected(objects, target["select"]):
            for path in target["fieldPaths"]:
                _write(each, steps(path), value)


def steps(path: str) -> list[str]:
    """The names of a path."""
    return [bracketed or plain for bracketed, plain in _STEP.findall(path)]


def _selected(objects: Sequence[Object], select: Object) -> list[Object]:
    if select.keys() - {"kind", "name", "labelSelector", "annotationSelector"}:
        raise ReplacementFailed(f"a selection by {select}")
    return [
        each
        for each in objects
        if each["kind"] == select["kind"]
        and select.get("name", each["metadata"]["name"]) == each["metadata"]["name"]
        and _has(each["metadata"].get("labels", {}), select.get("labelSelector"))
        and _has(each["metadata"].get("annotations", {}), select.get("annotationSelector"))
    ]


def _has(values: Object, wanted: str | None) -> bool:
    """Whether there is that key, or that key=value."""
    if wanted is None:
        return True
    key, separator, value = wanted.partition("=")
    return key in values and (not separator or values[key] == value)


def _write(node: Any, path: list[str], value: str) -> None:
    step, rest = path[0], path[1:]
    keys: Sequence[Any]
    if isinstance(node, list):
        keys = range(len(node)) if step == "*" else [int(step)]
    elif step in node:
        keys = [step]
    else:
        raise ReplacementFailed(f"there is no {step}")
    for key in keys:
        if rest:
            _write(node[key], rest, value)
        else:
            node[key] = value
