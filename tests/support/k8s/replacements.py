"""kustomize's replacements: a value of one object, written into fields of others."""

import re
from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]

#: A path is of names between dots; a name with dots is in brackets.
_STEP = re.compile(r"\[([^\]]+)\]|([^.\[\]]+)")


class ReplacementFailed(Exception):
    """Source or target is not there."""


def replace(objects: Sequence[Object], replacement: Object) -> None:
    """Write the source's value into every target. Raises ReplacementFailed."""
    source = replacement["source"]
    (found,) = _selected(objects, {"kind": source["kind"], "name": source["name"]})
    value: Any = found
    for step in steps(source["fieldPath"]):
        value = value[step]
    for target in replacement["targets"]:
        selected = _selected(objects, target["select"])
        if not selected:
            raise ReplacementFailed(f"nothing is {target['select']}")
        for each in selected:
            for path in target["fieldPaths"]:
                _write(each, steps(path), value)


def steps(path: str) -> list[str]:
    """The names of a path."""
    return [bracketed or plain for bracketed, plain in _STEP.findall(path)]


def _selected(objects: Sequence[Object], select: Object) -> list[Object]:
    return [
        each
        for each in objects
        if each["kind"] == select["kind"]
        and select.get("name", each["metadata"]["name"]) == each["metadata"]["name"]
    ]


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
