"""A model whose weights are kept as int8 in blocks, made into an ordinary float32 model.

Such files (`…_int8bq.onnx` of OpenCV's zoo) are a quarter as large, but ONNX Runtime runs them
slowly or not at all. What follows from constants alone is computed here, once.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from services.recognition.engine.models.graphs import with_nodes

_Array = npt.NDArray[Any]


def unquantised(model: bytes) -> bytes:
    """Compute the weights; raises whatever onnx, numpy or a lookup does for another kind of file.

    A weight is (value - zero point) * scale, as DequantizeLinear has it; each zero point and scale
    is that of `block_size` values along an axis, of which the last block may be shorter.
    """
    parsed = onnx.load_from_string(model)
    graph = parsed.graph
    constants = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    left = []
    for node in graph.node:
        value = _computed(node, constants)
        if value is None:
            left.append(node)
        else:
            constants[node.output[0]] = value
    kept = {entry.name for entry in graph.initializer}
    for name in {name for node in left for name in node.input} & constants.keys() - kept:
        graph.initializer.append(numpy_helper.from_array(constants[name], name))
    return with_nodes(parsed, left)


def _computed(node: onnx.NodeProto, constants: Mapping[str, _Array]) -> _Array | None:
    """What the node makes of constants; None where it needs more, or is of another kind."""
    if any(name not in constants for name in node.input):
        return None
    values = [constants[name] for name in node.input]
    given = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    match node.op_type:
        case "DequantizeLinear":
            return _dequantised(*values, axis=given["axis"], block=given["block_size"])
        case "Reshape":
            return values[0].reshape(values[1])
        case "Transpose":
            return np.ascontiguousarray(values[0].transpose(given["perm"]))
    return None


def _dequantised(
    quantised: _Array, scale: _Array, zero_point: _Array, *, axis: int, block: int
) -> _Array:
    within = (slice(None),) * axis + (slice(quantised.shape[axis]),)
    weight = quantised.astype(np.float32)
    weight -= np.repeat(zero_point, block, axis)[within]
    weight *= np.repeat(scale, block, axis)[within]
    return weight
