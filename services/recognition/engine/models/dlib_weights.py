"""The tensors of dlib's face ResNet, read from the file that `face_recognition_models` ships.

Only the tensors are read: their order and shapes are known (`BLOCKS`), so what lies between them
(layer options, training state) is skipped.
"""

from dataclasses import dataclass

import numpy as np

from services.recognition.engine.face_engine import FloatArray
from services.recognition.engine.models.files import ModelUnusable

EMBEDDING_SIZE = 128
_TENSOR_VERSION = 2


@dataclass(frozen=True, slots=True)
class BlockShape:
    """A residual block of two 3x3 convolutions; a `down` block halves the spatial size."""

    channels_in: int
    channels_out: int
    down: bool = False


STEM_CHANNELS = 32
STEM_KERNEL = 7
BLOCK_KERNEL = 3
BLOCKS: tuple[BlockShape, ...] = (
    *[BlockShape(32, 32)] * 3,
    BlockShape(32, 64, down=True),
    *[BlockShape(64, 64)] * 3,
    BlockShape(64, 128, down=True),
    *[BlockShape(128, 128)] * 2,
    BlockShape(128, 256, down=True),
    *[BlockShape(256, 256)] * 2,
    BlockShape(256, 256, down=True),
)


@dataclass(frozen=True, slots=True)
class Convolution:
    """Filters (out, in, k, k) and biases (out), the following affine layer folded in."""

    weight: FloatArray
    bias: FloatArray


@dataclass(frozen=True, slots=True)
class FaceResNet:
    """The whole network: the stem, two convolutions per block of `BLOCKS`, the last matrix."""

    stem: Convolution
    blocks: tuple[tuple[Convolution, Convolution], ...]
    projection: FloatArray  # (256, 128)


def parse(data: bytes) -> FaceResNet:
    """Read the network from the bytes of dlib_face_recognition_resnet_model_v1.dat."""
    reader = _TensorReader(data)
    stem = reader.convolution(3, STEM_CHANNELS, STEM_KERNEL)
    blocks = tuple(
        (
            reader.convolution(block.channels_in, block.channels_out, BLOCK_KERNEL),
            reader.convolution(block.channels_out, block.channels_out, BLOCK_KERNEL),
        )
        for block in BLOCKS
    )
    projection = reader.tensor(BLOCKS[-1].channels_out, EMBEDDING_SIZE)
    return FaceResNet(stem, blocks, projection.reshape(-1, EMBEDDING_SIZE))


class _TensorReader:
    """Finds one tensor after the other by its exact header: version and four dimensions."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def tensor(self, samples: int, channels: int = 1) -> FloatArray:
        header = b"".join(map(_dlib_integer, (_TENSOR_VERSION, samples, channels, 1, 1)))
        at = self._data.find(header, self._position)
        size = samples * channels
        start = at + len(header)
        end = start + 4 * size
        if at < 0 or end > len(self._data):
            raise ModelUnusable(
                f"the face model has no tensor of {samples}x{channels} where one must be: "
                "it is truncated, or not dlib's face recognition ResNet v1"
            )
        self._position = end
        return np.frombuffer(self._data, "<f4", size, start).astype(np.float32)

    def convolution(self, channels_in: int, channels_out: int, kernel: int) -> Convolution:
        filters = channels_out * channels_in * kernel * kernel
        values = self.tensor(filters + channels_out)
        weight = values[:filters].reshape(channels_out, channels_in, kernel, kernel)
        gamma, beta = self.tensor(2 * channels_out).reshape(2, channels_out)
        return Convolution(
            weight=weight * gamma[:, None, None, None],
            bias=values[filters:] * gamma + beta,
        )


def _dlib_integer(value: int) -> bytes:
    """Encode as dlib does: the number of bytes, then these, little endian."""
    magnitude = value.to_bytes((value.bit_length() + 7) // 8, "little")
    return bytes([len(magnitude)]) + magnitude
