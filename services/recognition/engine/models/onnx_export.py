"""dlib's face ResNet as an ONNX graph: uint8 RGB chips in, embeddings out, any batch size."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from services.recognition.engine.face_engine import FloatArray
from services.recognition.engine.models.dlib_weights import (
    BLOCKS,
    EMBEDDING_SIZE,
    BlockShape,
    Convolution,
    FaceResNet,
)

CHIP_SIZE = 150
INPUT_NAME = "chips"
OUTPUT_NAME = "embeddings"

_MEAN_RGB = (122.782, 117.001, 104.298)
_SCALE = 256.0
# The oldest set that has every operator in this form: any ONNX Runtime of the last years runs it.
_OPSET = 17
_IR_VERSION = 8
_STEM_POOLED_SIZE = 35  # 150 → convolution 72 → pool 35


def export(network: FaceResNet) -> bytes:
    """Serialize: input `chips` (n, 150, 150, 3) uint8, output `embeddings` (n, 128) float32."""
    serialized: bytes = _GraphBuilder().build(network).SerializeToString()
    return serialized


class _GraphBuilder:
    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def build(self, network: FaceResNet) -> onnx.ModelProto:
        value = self._normalized(INPUT_NAME)
        value = self._convolution(value, network.stem, stride=2, padding=0)
        value = self._add("Relu", value)
        value = self._add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2])
        size = _STEM_POOLED_SIZE
        for shape, convolutions in zip(BLOCKS, network.blocks, strict=True):
            value, size = self._block(value, size, shape, convolutions)
        value = self._add("GlobalAveragePool", value)
        value = self._add("Flatten", value)
        projection = self._constant(network.projection)
        self._nodes.append(helper.make_node("MatMul", [value, projection], [OUTPUT_NAME]))
        return self._model()

    def _normalized(self, chips: str) -> str:
        value = self._add("Cast", chips, to=TensorProto.FLOAT)
        value = self._add("Transpose", value, perm=[0, 3, 1, 2])
        mean = self._constant(np.array(_MEAN_RGB, np.float32).reshape(1, 3, 1, 1))
        value = self._add("Sub", value, mean)
        return self._add("Div", value, self._constant(np.array(_SCALE, np.float32)))

    def _block(
        self,
        entry: str,
        size: int,
        shape: BlockShape,
        convolutions: tuple[Convolution, Convolution],
    ) -> tuple[str, int]:
        first, second = convolutions
        # dlib's down blocks do not pad their first convolution, unlike the usual ResNet.
        stride, padding = (2, 0) if shape.down else (1, 1)
        value = self._convolution(entry, first, stride=stride, padding=padding)
        value = self._add("Relu", value)
        value = self._convolution(value, second, stride=1, padding=1)
        shortcut = entry
        if shape.down:
            shortcut = self._add("AveragePool", entry, kernel_shape=[2, 2], strides=[2, 2])
            convolved, size = (size - 3) // 2 + 1, size // 2
            # Both sides of the sum grow with zeros, at the end, to the larger shape.
            value = self._padded(value, channels=0, pixels=size - convolved)
            shortcut = self._padded(
                shortcut, channels=shape.channels_out - shape.channels_in, pixels=0
            )
        return self._add("Relu", self._add("Add", value, shortcut)), size

    def _convolution(self, entry: str, layer: Convolution, *, stride: int, padding: int) -> str:
        return self._add(
            "Conv",
            entry,
            self._constant(layer.weight),
            self._constant(layer.bias),
            strides=[stride, stride],
            pads=[padding] * 4,
        )

    def _padded(self, entry: str, *, channels: int, pixels: int) -> str:
        if not channels and not pixels:
            return entry
        pads = np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)
        return self._add("Pad", entry, self._constant(pads))

    def _add(self, operator: str, *inputs: str, **attributes: int | list[int]) -> str:
        output = f"{operator.lower()}_{len(self._nodes)}"
        node = helper.make_node(operator, inputs, [output])
        node.attribute.extend(helper.make_attribute(*item) for item in attributes.items())
        self._nodes.append(node)
        return output

    def _constant(self, array: FloatArray | np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def _model(self) -> onnx.ModelProto:
        chips = helper.make_tensor_value_info(
            INPUT_NAME, TensorProto.UINT8, ["n", CHIP_SIZE, CHIP_SIZE, 3]
        )
        embeddings = helper.make_tensor_value_info(
            OUTPUT_NAME, TensorProto.FLOAT, ["n", EMBEDDING_SIZE]
        )
        graph = helper.make_graph(
            self._nodes, "dlib_face_resnet_v1", [chips], [embeddings], self._constants
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
        model.ir_version = _IR_VERSION
        onnx.checker.check_model(model)
        return model
