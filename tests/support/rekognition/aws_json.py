"""AWS JSON 1.1, the server's side, by botocore's own model of the service.

botocore itself reads answers and writes requests only, and checks few of the model's
constraints; a server has to check all of them, and must not send what the model does not know.
"""

import base64
import binascii
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape


class Invalid(Exception):
    """The value does not fit the model; the message says where and why."""


@functools.cache
def service_model(name: str) -> ServiceModel:
    """botocore's model of a service."""
    model: ServiceModel = botocore.session.get_session().get_service_model(name)
    return model


def decode_request(operation: OperationModel, body: Any) -> dict[str, Any]:
    """Return the parameters that the JSON stands for. Raises Invalid."""
    decoded = _decode(operation.input_shape, body, operation.input_shape.name)
    assert isinstance(decoded, dict)
    return decoded


def encode_answer(operation: OperationModel, answer: Mapping[str, Any]) -> Any:
    """Return the JSON of an answer. Raises Invalid: the server would lie about the service."""
    if operation.output_shape is None:
        return {}
    return _encode(operation.output_shape, answer, operation.output_shape.name)


def _decode(shape: Shape, value: Any, path: str) -> Any:
    return _walk(shape, value, path, _decode, _blob_from_base64)


def _encode(shape: Shape, value: Any, path: str) -> Any:
    return _walk(shape, value, path, _encode, lambda blob, _: base64.b64encode(blob).decode())


def _walk(
    shape: Shape,
    value: Any,
    path: str,
    walk: Callable[[Shape, Any, str], Any],
    convert_blob: Callable[[Any, str], Any],
) -> Any:
    match shape:
        case StructureShape():
            _require(isinstance(value, Mapping), path, "is no structure")
            for missing in set(shape.required_members) - value.keys():
                raise Invalid(f"{path}.{missing} is missing")
            for unknown in value.keys() - shape.members.keys():
                raise Invalid(f"{path}.{unknown} is not known")
            return {
                name: walk(shape.members[name], item, f"{path}.{name}")
                for name, item in value.items()
            }
        case ListShape():
            _require(isinstance(value, list), path, "is no list")
            _check_range(shape, len(value), path)
            return [walk(shape.member, item, f"{path}[{i}]") for i, item in enumerate(value)]
        case MapShape():
            _require(isinstance(value, Mapping), path, "is no map")
            _check_range(shape, len(value), path)
            return {key: walk(shape.value, item, f"{path}.{key}") for key, item in value.items()}
        case _:
            return _scalar(shape, value, path, convert_blob)


def _scalar(shape: Shape, value: Any, path: str, convert_blob: Callable[[Any, str], Any]) -> Any:
    match shape.type_name:
        case "blob":
            # Its length is the operation's to check, which has an error of its own for it.
            return convert_blob(value, path)
        case "string":
            _require(isinstance(value, str), path, "is no string")
            _check_range(shape, len(value), path)
            pattern = shape.metadata.get("pattern")
            _require(not pattern or re.fullmatch(pattern, value), path, f"must match {pattern}")
            _require(not shape.enum or value in shape.enum, path, f"must be one of {shape.enum}")
        case "integer" | "long":
            _require(isinstance(value, int), path, "is no integer")
            _check_range(shape, value, path)
        case "float" | "double":
            _require(isinstance(value, (int, float)), path, "is no number")
            _check_range(shape, value, path)
        case "boolean":
            _require(isinstance(value, bool), path, "is no boolean")
    return value


def _blob_from_base64(value: Any, path: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Invalid(f"{path} is no base64") from None


def _check_range(shape: Shape, size: float, path: str) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    _require(low is None or size >= low, path, f"must be at least {low}, is {size}")
    _require(high is None or size <= high, path, f"must be at most {high}, is {size}")


def _require(condition: object, path: str, problem: str) -> None:
    if not condition:
        raise Invalid(f"{path} {problem}")
