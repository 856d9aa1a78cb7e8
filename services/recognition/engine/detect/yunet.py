"""Faces by YuNet, OpenCV's small convolutional detector, in ONNX Runtime.

ONNX Runtime needs three fifths of the time of OpenCV's own FaceDetectorYN on the same model
(74 against 117 ms at 1600 pixels), and takes pictures of any size from all of its versions.
"""

import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx

from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.detect.found_face import LocatedFace, without_repeats
from services.recognition.engine.detect.upright import stood_upright
from services.recognition.engine.face_engine import FloatArray
from services.recognition.engine.models.files import (
    PACKAGED_YUNET,
    ModelUnusable,
    find_yunet,
    read_model,
)
from services.recognition.engine.models.packaged import read_packaged
from services.recognition.engine.photo_engine import open_session

_Pixels = npt.NDArray[np.uint8]

# Measured on composed groups and labelled photos: real faces from 0.68, anything else up to 0.62.
MIN_CONFIDENCE = 0.65

# YuNet was trained on faces of 10 to 300 pixels and is unsure of larger ones. Those are looked
# for on a small copy, which costs a twelfth.
LARGE_FACE = 300.0
_SMALL_COPY_LONG_SIDE = 480
# The two searches overlap, so that no face falls between them.
_OVERLAP = 1.3

# Where nobody is found, smaller copies are turned: 18 ms each.
_PROBE_LONG_SIDE = 800

_STRIDES = (8, 16, 32)
_SIZE_MULTIPLE = 32
_OUTPUTS = tuple(
    f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES
)


def open_yunet(folder: Path, named: Path | None = None) -> "YuNetDetector | None":
    """YuNet of the file named, else of the model folder's newest, else of the package.

    None where there is none of them. Raises `ModelUnusable` for a file that is damaged, another
    model, or named and not there.
    """
    path = find_yunet(folder, named)
    if path is not None:
        return YuNetDetector(read_model(path), name=str(path))
    packaged = PACKAGED_YUNET.path()
    if packaged is None:
        return None
    return YuNetDetector(read_packaged(packaged, PACKAGED_YUNET), name=str(packaged))


class YuNetDetector:
    """Finds faces from about 12 pixels, turned, tilted, lying, or filling the frame."""

    def __init__(self, model: bytes, *, name: str) -> None:
        """Load an ONNX model; raises `ModelUnusable`, with the name, when it is another one."""
        try:
            self._session = open_session(_for_any_size(model))
            (self._input,) = (entry.name for entry in self._session.get_inputs())
            self._find(np.zeros((64, 96, 3), np.uint8))
        except Exception as error:
            raise ModelUnusable(f"{name} is not a usable YuNet model: {error}") from error

    def locate(self, photo: PhotoScales) -> list[LocatedFace]:
        """The faces, in pixels of `photo.base`, the surest first."""
        faces = self._search(photo.base)
        for quarter in self._quarters_to_search(photo.base, faces):
            faces += self._search_turned(photo.base, quarter)
        return without_repeats(faces)

    def _search(self, pixels: _Pixels) -> list[LocatedFace]:
        """The faces, each once, with landmarks by which they can be cut out upright."""
        copy, factor = _shrunk(pixels, _SMALL_COPY_LONG_SIDE)
        large = [face.scaled(factor) for face in self._find(copy)]
        found = without_repeats(
            [face for face in large if face.width >= LARGE_FACE / _OVERLAP]
            + [face for face in self._find(pixels) if face.width <= LARGE_FACE * _OVERLAP]
        )
        return stood_upright(pixels, found, self._find)

    def _search_turned(self, pixels: _Pixels, quarter: int) -> list[LocatedFace]:
        """The same on the picture turned, in its own pixels."""
        turned = np.ascontiguousarray(np.rot90(pixels, quarter))
        turn = 1j**quarter
        shift = _middle(pixels) - turn * _middle(turned)
        return [face.moved(turn, shift) for face in self._search(turned)]

    def _quarters_to_search(self, pixels: _Pixels, faces: list[LocatedFace]) -> set[int]:
        """By how many quarters the picture must be turned to the left for more faces.

        Some faces that lie on their side are found as they are; where there is one, there are more.
        Where nobody is found, half the photos in which there is somebody lie on their side.
        """
        known = {round(face.tilt / (math.pi / 2)) % 4 for face in faces if face.is_aligned}
        if known:
            return known - {0}
        copy, _ = _shrunk(pixels, _PROBE_LONG_SIDE)
        return {
            quarter
            for quarter in (1, 2, 3)
            if any(face.is_aligned for face in self._search_turned(copy, quarter))
        }

    def _find(self, pixels: _Pixels, least_confidence: float = MIN_CONFIDENCE) -> list[LocatedFace]:
        height, width = (-(-side // _SIZE_MULTIPLE) * _SIZE_MULTIPLE for side in pixels.shape[:2])
        blob = np.zeros((1, 3, height, width), np.float32)
        for channel in range(3):  # the model wants blue first
            blob[0, channel, : pixels.shape[0], : pixels.shape[1]] = pixels[..., 2 - channel]
        outputs = dict(
            zip(_OUTPUTS, self._session.run(list(_OUTPUTS), {self._input: blob}), strict=True)
        )
        return [
            face
            for stride in _STRIDES
            for face in _faces(outputs, stride, width // stride, least_confidence)
        ]


def _shrunk(pixels: _Pixels, long_side: int) -> tuple[_Pixels, float]:
    """A copy of this size, and how much larger the picture is."""
    height, width = pixels.shape[:2]
    factor = max(width, height) / long_side
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8), factor


def _middle(pixels: _Pixels) -> complex:
    height, width = pixels.shape[:2]
    return complex(width, height) / 2


def _faces(
    outputs: dict[str, FloatArray], stride: int, columns: int, least_confidence: float
) -> list[LocatedFace]:
    """The faces of one grid of anchors; values are relative to the anchor, in strides."""
    scores = np.sqrt(
        outputs[f"cls_{stride}"][0, :, 0].clip(0, 1) * outputs[f"obj_{stride}"][0, :, 0].clip(0, 1)
    )
    (sure,) = np.nonzero(scores >= least_confidence)
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
