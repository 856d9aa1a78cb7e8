"""ConfigMaps and Secrets from files and literals, and the hash in their names."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Object = dict[str, Any]

#: Marks a generated object until its name gets its hash.
GENERATED = "__generated__"
HASH_LENGTH = 10
BASE64_LINE = 70
#: kustomize leaves out what could spell a word.
_LETTERS = str.maketrans({"0": "g", "1": "h", "3": "k", "a": "m", "e": "t"})


def generated(kind: str, generator: Object, folder: Path) -> Object:
    """The object that one entry of a generator describes, its name without the hash."""
    data = dict(_entries(generator, folder))
    if kind == "Secret":
        data = {key: _encoded(value) for key, value in data.items()}
    options = generator.get("options", {})
    described = {key: options[key] for key in ("labels", "annotations") if key in options}
    made: Object = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": generator["name"], **described},
        "data": data,
        GENERATED: not options.get("disableNameSuffixHash", False),
    }
    if kind == "Secret":
        made["type"] = "Opaque"
    return made


def _entries(generator: Object, folder: Path) -> Iterator[tuple[str, str]]:
    for name in generator.get("envs", []):
        for line in (folder / name).read_text().splitlines():
            if line and not line.startswith("#"):
                key, _, value = line.partition("=")
                yield key, value
    for name in generator.get("files", []):
        yield Path(name).name, (folder / name).read_text()
    for literal in generator.get("literals", []):
        key, _, value = literal.partition("=")
        yield key, value


def _encoded(value: str) -> str:
    text = base64.b64encode(value.encode()).decode()
    if len(text) <= BASE64_LINE:
        return text
    lines = [text[at : at + BASE64_LINE] for at in range(0, len(text), BASE64_LINE)]
    return "".join(f"{line}\n" for line in lines)


def with_hashes(objects: Sequence[Object]) -> list[Object]:
    """Name generated objects by their content, and those that refer to them accordingly."""
    names: dict[tuple[str, str], str] = {}
    for each in objects:
        if each.pop(GENERATED, False):
            name = each["metadata"]["name"]
            each["metadata"]["name"] = f"{name}-{_hash(each)}"
            names[each["kind"], name] = each["metadata"]["name"]
    for each in objects:
        if each["apiVersion"] in ("apps/v1", "batch/v1"):
            _rename(each, names)
    return list(objects)


def _hash(made: Object) -> str:
    # kustomize means to put the name in and does not: its hashes are with an empty one.
    content = {"data": made["data"], "kind": made["kind"], "name": ""}
    if "type" in made:
        content["type"] = made["type"]
    # As Go's encoding/json writes it.
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return digest[:HASH_LENGTH].translate(_LETTERS)


_REFERENCES = {
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "configMap": "ConfigMap",
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
    "secret": "Secret",
}


def _rename(node: Any, names: dict[tuple[str, str], str]) -> None:
    if isinstance(node, list):
        for each in node:
            _rename(each, names)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in _REFERENCES and isinstance(value, dict):
                for field in ("name", "secretName"):
                    if field in value:
                        value[field] = names.get((_REFERENCES[key], value[field]), value[field])
            _rename(value, names)
