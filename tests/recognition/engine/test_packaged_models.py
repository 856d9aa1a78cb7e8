"""The models that a package carries with int8 weights, as ordinary ones."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from services.recognition.engine.engines import OpenCvEngine
from services.recognition.engine.models.files import (
    PACKAGED_SFACE,
    PACKAGED_YUNET,
    ModelUnusable,
    PackagedModel,
)
from services.recognition.engine.models.packaged import read_packaged
from services.recognition.engine.models.prelu import convolved
from services.recognition.engine.models.unquantised import unquantised


def path_of(model: PackagedModel) -> Path:
    path = model.path()
    assert path is not None
    return path


@pytest.mark.parametrize("model", [PACKAGED_YUNET, PACKAGED_SFACE])
def test_a_packaged_model_becomes_one_of_float32_alone(model: PackagedModel) -> None:
    graph = onnx.load_from_string(read_packaged(path_of(model), model)).graph
    assert len(graph.input) == 1
    assert {tensor.data_type for tensor in graph.initializer} <= {
        TensorProto.FLOAT,
        TensorProto.INT64,  # shapes
    }
    assert "DequantizeLinear" not in {node.op_type for node in graph.node}


def test_a_packaged_file_with_another_content_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "model.onnx"
    other.write_bytes(path_of(PACKAGED_YUNET).read_bytes() + b"\0")
    with pytest.raises(ModelUnusable, match=r"model\.onnx has another content.*install"):
        read_packaged(other, PACKAGED_YUNET)
    with pytest.raises(ModelUnusable, match="cannot be read"):
        read_packaged(tmp_path / "nothing.onnx", PACKAGED_YUNET)


def test_the_recogniser_is_computed_once_and_kept(tmp_path: Path) -> None:
    OpenCvEngine(model_dir=tmp_path)
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    OpenCvEngine(model_dir=tmp_path)
    assert kept.stat().st_mtime_ns == written
    kept.write_bytes(b"half a file")
    OpenCvEngine(model_dir=tmp_path)
    assert len(kept.read_bytes()) > 30_000_000


@given(
    axis=st.integers(0, 1),
    block=st.integers(1, 5),
    rows=st.integers(1, 7),
    columns=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
def test_weights_are_those_of_the_standard_s_dequantize_linear(
    axis: int, block: int, rows: int, columns: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    shape = [rows, columns]
    blocks = [*shape]
    blocks[axis] = -(-shape[axis] // block)
    weights = {
        "q": random.integers(-128, 128, shape, np.int8),
        "s": random.uniform(0.001, 2, blocks).astype(np.float32),
        "z": random.integers(-128, 128, blocks, np.int8),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=axis, block_size=block),
        helper.make_node("Add", ["w", "x"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "blocks", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    (weight,) = onnx.load_from_string(unquantised(model.SerializeToString())).graph.initializer
    given_zero = np.zeros(shape, np.float32)
    outcome = ReferenceEvaluator(model).run(None, {"x": given_zero})
    assert isinstance(outcome, list)
    np.testing.assert_allclose(numpy_helper.to_array(weight), outcome[0], rtol=1e-6)


def test_prelus_that_became_convolutions_compute_the_same() -> None:
    random = np.random.default_rng(1)
    slope = random.uniform(-0.5, 1.5, (5, 1, 1)).astype(np.float32)
    given_size = [2, 5, 6, 7]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, given_size) for name in "xz"]
    nodes = [helper.make_node("PRelu", ["x", "s"], ["y"]), helper.make_node("Abs", ["y"], ["z"])]
    graph = helper.make_graph(
        nodes, "prelu", ends[:1], ends[1:], [numpy_helper.from_array(slope, "s")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    rewritten = convolved(model.SerializeToString())
    assert "PRelu" not in {node.op_type for node in onnx.load_from_string(rewritten).graph.node}
    pixels = {"x": random.normal(size=given_size).astype(np.float32)}
    before, after = (
        onnxruntime.InferenceSession(content).run(None, pixels)[0]
        for content in (model.SerializeToString(), rewritten)
    )
    np.testing.assert_allclose(after, before, atol=1e-6)
