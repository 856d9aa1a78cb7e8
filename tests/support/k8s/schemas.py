"""Whether an object is what the cluster's API takes: Kubernetes' own kinds, and ours of CRDs.

The schemas in crds/ hold what we use of each resource, written from its documentation; whatever
they do not name is refused.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

Object = dict[str, Any]

#: The oldest release that knows all fields in use (lifecycle.sleep), and the newest known here.
VERSIONS = ("1.30", "1.37")
CRDS = Path(__file__).with_name("crds")

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_SHARED: Object = {
    "hostname": {
        "type": "string",
        "pattern": r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    },
    "duration": {"type": "string", "pattern": r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"},
    "quantity": {"type": "string", "pattern": r"^[0-9.]+(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"},
    "resources": {
        "properties": {
            part: {"type": "object", "additionalProperties": {"$ref": "#/$defs/quantity"}}
            for part in ("requests", "limits")
        }
    },
    "spread": {
        "type": "array",
        "items": {
            "required": ["maxSkew", "topologyKey", "whenUnsatisfiable"],
            "properties": {
                "maxSkew": {"type": "integer", "minimum": 1},
                "topologyKey": {"type": "string"},
                "whenUnsatisfiable": {"enum": ["DoNotSchedule", "ScheduleAnyway"]},
                "labelSelector": {"properties": {"matchLabels": _TEXTS}},
            },
        },
    },
}
_METADATA: Object = {
    "required": ["name", "namespace"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
        "namespace": {"type": "string"},
        "labels": _TEXTS,
        "annotations": _TEXTS,
    },
}


def invalid(objects: Sequence[Object]) -> list[str]:
    """What each object has that its schema does not allow."""
    return [problem for each in objects for problem in _problems(each)]


def _problems(each: Object) -> list[str]:
    name = f"{each.get('kind')}/{each.get('metadata', {}).get('name')}"
    validator = _crd(each.get("apiVersion", ""), each.get("kind", ""))
    if validator is not None:
        return [f"{name}: {e.json_path}: {e.message}" for e in validator.iter_errors(each)]
    problems = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(each, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(str(part) for part in error.path)
            problems.append(f"{name}: {version}: {path}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            problems.append(f"{name}: {error.message}")
    return problems


@functools.cache
def _crd(api_version: str, kind: str) -> Draft202012Validator | None:
    for path in CRDS.glob("*.yaml"):
        described = yaml.safe_load(path.read_text())
        if (described["apiVersion"], described["kind"]) == (api_version, kind):
            schema = {
                "required": ["apiVersion", "kind", "metadata", "spec"],
                "properties": {
                    "apiVersion": {"const": api_version},
                    "kind": {"const": kind},
                    "metadata": _METADATA,
                    "spec": described["spec"],
                },
                "$defs": _SHARED | described.get("$defs", {}),
            }
            return Draft202012Validator(_closed(schema))
    return None


def _closed(schema: Any, *, conditional: bool = False) -> Any:
    """Refuse what a schema does not name, but in conditions, which name only what they ask."""
    if isinstance(schema, list):
        return [_closed(each, conditional=conditional) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {
        key: _closed(value, conditional=conditional or key in ("if", "then", "oneOf"))
        for key, value in schema.items()
    }
    if isinstance(schema.get("properties"), dict) and not conditional and "$ref" not in schema:
        closed.setdefault("additionalProperties", False)
        closed.setdefault("type", "object")
    return closed
