"""ONNX graphs that are rewritten."""

from collections.abc import Iterable

import onnx


def with_nodes(model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto]) -> bytes:
    """Return the model with these nodes alone, and of constants and inputs what they use.

    Some exporters list weights among what is given to the model, even those that were replaced.
    """
    graph = model.graph
    left = list(nodes)
    used = {name for node in left for name in node.input}
    constants = [entry for entry in graph.initializer if entry.name in used]
    given = used - {entry.name for entry in constants}
    inputs = [entry for entry in graph.input if entry.name in given]
    for field in (graph.node, graph.initializer, graph.input, graph.value_info):
        del field[:]
    graph.node.extend(left)
    graph.initializer.extend(constants)
    graph.input.extend(inputs)
    content: bytes = model.SerializeToString()
    return content
