"""Patches: JSON patches (RFC 6902: add, replace, remove), and merges of maps."""

import copy
from typing import Any

Object = dict[str, Any]


class PatchFailed(Exception):
    """The patch does not fit its target."""


def apply_patch(target: Object, patch: list[Object] | Object) -> None:
    """Change the target in place. Raises PatchFailed."""
    if isinstance(patch, dict):
        _merge(target, patch)
        return
    for operation in patch:
        path = [part.replace("~1", "/").replace("~0", "~") for part in _parts(operation["path"])]
        try:
            _operate(target, path, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            name = f"{target['kind']}/{target['metadata']['name']}"
            raise PatchFailed(f"{name} has no {operation['path']}") from error


def _parts(pointer: str) -> list[str]:
    return pointer.split("/")[1:]


def _operate(target: Object, path: list[str], operation: Object) -> None:
    node: Any = target
    for part in path[:-1]:
        node = node[int(part)] if isinstance(node, list) else node[part]
    last: Any = path[-1]
    value = copy.deepcopy(operation.get("value"))
    if isinstance(node, list):
        if operation["op"] == "add" and last == "-":
            node.append(value)
            return
        last = int(last)
        if operation["op"] == "add":
            node.insert(last, value)
            return
    if operation["op"] == "remove":
        del node[last]
        return
    if operation["op"] == "replace":
        node[last]
    node[last] = value


def _merge(target: Object, patch: Object) -> None:
    for key, value in patch.items():
        if isinstance(value, list):
            raise PatchFailed(f"a merge of the list {key}: write a JSON patch")
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        elif value is None:
            target.pop(key, None)
        else:
            target[key] = value
