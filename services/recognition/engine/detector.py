"""Faces in a picture by dlib's HOG detector, each cut out upright as the embedder wants it."""

from dataclasses import dataclass

import dlib
import numpy as np
import numpy.typing as npt

from services.recognition.engine.dlib_weights import model_file
from services.recognition.engine.onnx_export import CHIP_SIZE

_LANDMARKS_MODEL = "shape_predictor_5_face_landmarks.dat"
_CHIP_PADDING = 0.25  # what the embedding network was trained with


@dataclass(frozen=True, slots=True)
class FaceInPicture:
    """A face's box in pixels, clipped to the picture, and its aligned chip (150, 150, 3)."""

    left: int
    top: int
    width: int
    height: int
    confidence: float
    chip: npt.NDArray[np.uint8]


class HogDetector:
    """Finds frontal faces from about 75 pixels; raises `ModelUnusable` without its model file."""

    def __init__(self) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(model_file(_LANDMARKS_MODEL)))

    def detect(self, pixels: npt.NDArray[np.uint8]) -> list[FaceInPicture]:
        """The faces of an RGB picture (height, width, 3), the surest first."""
        boxes, scores, _ = self._detector.run(pixels, 0, 0.0)
        return [
            self._face(pixels, box, score)
            for box, score in sorted(zip(boxes, scores, strict=True), key=lambda found: -found[1])
        ]

    def _face(
        self, pixels: npt.NDArray[np.uint8], box: dlib.rectangle, score: float
    ) -> FaceInPicture:
        # The box of a face at the border reaches beyond it.
        height, width = pixels.shape[:2]
        left, right = max(0, box.left()), min(width, box.right() + 1)
        top, bottom = max(0, box.top()), min(height, box.bottom() + 1)
        chip = dlib.get_face_chip(pixels, self._landmarks(pixels, box), CHIP_SIZE, _CHIP_PADDING)
        return FaceInPicture(
            left=left,
            top=top,
            width=right - left,
            height=bottom - top,
            confidence=_confidence(score),
            chip=chip,
        )


def _confidence(score: float) -> float:
    """HOG's open-ended score (0 is its threshold, 3 a perfect portrait) as 0.5 to 1."""
    return 1.0 - float(2.0 ** (-1.0 - score))
