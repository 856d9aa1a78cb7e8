"""Faces by YuNet, OpenCV's small convolutional detector, in ONNX Runtime.

ONNX Runtime needs three fifths of the time of OpenCV's own FaceDetectorYN on the same model
(74 against 117 ms at 1600 pixels), and takes pictures of any size from all of its versions.
"""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx

from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.detect.found_face import LocatedFace, without_repeats
from services.recognition.engine.face_engine import FloatArray
from services.recognition.engine.models.files import ModelUnusable
from services.recognition.engine.photo_engine import open_session

# Measured on composed groups and labelled photos: real faces from 0.68, anything else up to 0.62.
MIN_CONFIDENCE = 0.65

# YuNet was trained on faces of 10 to 300 pixels and is unsure of larger ones. Those are looked
# for on a small copy, which costs a twelfth.
LARGE_FACE = 300.0
_SMALL_COPY_LONG_SIDE = 480
# The two searches overlap, so that no face falls between them.
_OVERLAP = 1.3

_STRIDES = (8, 16, 32)
_SIZE_MULTIPLE = 32
_OUTPUTS = tuple(
    f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES
)


class YuNetDetector:
    """Finds faces from about 12 pixels, turned, tilted up to 60 degrees, or filling the frame."""

    def __init__(self, model: Path) -> None:
        """Load the model's file; raises `ModelUnusable` when it is damaged or another one."""
        try:
            self._session = open_session(_for_any_size(model.read_bytes()))
            (self._input,) = (entry.name for entry in self._session.get_inputs())
            self._find(np.zeros((64, 96, 3), np.uint8))
        except Exception as error:
            raise ModelUnusable(f"{model} is not a usable YuNet model: {error}") from error

    def locate(self, photo: PhotoScales) -> list[LocatedFace]:
        """The faces, in pixels of `photo.base`, the surest first."""
        height, width = photo.base.shape[:2]
        factor = max(width, height) / _SMALL_COPY_LONG_SIDE
        size = (max(1, round(width / factor)), max(1, round(height / factor)))
        copy = cv2.resize(photo.base, size, interpolation=cv2.INTER_AREA)
        large = [face.scaled(factor) for face in self._find(np.asarray(copy, np.uint8))]
        return without_repeats(
            [face for face in large if face.width >= LARGE_FACE / _OVERLAP]
            + [face for face in self._find(photo.base) if face.width <= LARGE_FACE * _OVERLAP]
        )

    def _find(self, pixels: npt.NDArray[np.uint8]) -> list[LocatedFace]:
        height, width = (-(-side // _SIZE_MULTIPLE) * _SIZE_MULTIPLE for side in pixels.shape[:2])
        blob = np.zeros((1, 3, height, width), np.float32)
        for channel in range(3):  # the model wants blue first
            blob[0, channel, : pixels.shape[0], : pixels.shape[1]] = pixels[..., 2 - channel]
        outputs = dict(
            zip(_OUTPUTS, self._session.run(list(_OUTPUTS), {self._input: blob}), strict=True)
        )
        return [
            face for stride in _STRIDES for face in _faces(outputs, stride, columns=width // stride)
        ]


def _faces(outputs: dict[str, FloatArray], stride: int, *, columns: int) -> list[LocatedFace]:
    """The faces of one grid of anchors; values are relative to the anchor, in strides."""
    scores = np.sqrt(
        outputs[f"cls_{stride}"][0, :, 0].clip(0, 1) * outputs[f"obj_{stride}"][0, :, 0].clip(0, 1)
    )
    (sure,) = np.nonzero(scores >= MIN_CONFIDENCE)
    anchors = np.stack([sure % columns, sure // columns], axis=1).astype(np.float64)
    boxes = outputs[f"bbox_{stride}"][0, sure].astype(np.float64)
    landmarks = outputs[f"kps_{stride}"][0, sure].astype(np.float64).reshape(-1, 5, 2)
    centres = (boxes[:, :2] + anchors) * stride
    sizes = np.exp(boxes[:, 2:]) * stride
    points = (landmarks + anchors[:, np.newaxis]) * stride
    return [
        LocatedFace(
            left=float(centre[0] - size[0] / 2),
            top=float(centre[1] - size[1] / 2),
            width=float(size[0]),
            height=float(size[1]),
            confidence=float(score),
            landmarks=marks,
        )
        for centre, size, marks, score in zip(centres, sizes, points, scores[sure], strict=True)
    ]


def _for_any_size(model: bytes) -> bytes:
    """Free a model that was exported for one size of picture: nothing else in it is fixed."""
    graph = onnx.load_from_string(model)
    dimensions = graph.graph.input[0].type.tensor_type.shape.dim
    if dimensions[2].dim_param and dimensions[3].dim_param:
        return model
    dimensions[2].dim_param, dimensions[3].dim_param = "height", "width"
    for output in graph.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = "anchors"
    del graph.graph.value_info[:]
    freed: bytes = graph.SerializeToString()
    return freed
