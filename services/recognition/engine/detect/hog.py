"""Faces by dlib's HOG detector, on as many pixels as the photo's own faces call for."""

import functools

import cv2
import dlib
import numpy as np
import numpy.typing as npt

from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.detect.found_face import LocatedFace, without_repeats

# The detector's window: smaller faces are not found.
SMALLEST_FACE = 80.0
# A group stands at about one distance. Where a face was found that is nearly too small, others
# may have been missed: then the rows around it are searched again on the larger picture.
NEARLY_TOO_SMALL = 1.25 * SMALLEST_FACE
# How far above and below, in heights of the faces found.
_ROWS_AROUND = 2.5


class HogDetector:
    """Finds upright frontal faces: from 5 % of the photo's longer side, in groups from 2.5 %."""

    def __init__(self) -> None:
        self._detector = _frontal_faces()

    def locate(self, photo: PhotoScales) -> list[LocatedFace]:
        """The faces, in pixels of `photo.base`, the surest first."""
        faces = self._search(photo.base)
        rows = rows_to_search_again(faces, photo.base.shape[0])
        if rows is None or photo.fine_factor <= 1:
            return faces
        factor = photo.fine_factor
        top, bottom = (round(row * factor) for row in rows)
        again = self._search(photo.fine[top:bottom])
        return without_repeats(
            faces + [face.shifted(down=top).scaled(1 / factor) for face in again]
        )

    def _search(self, pixels: npt.NDArray[np.uint8]) -> list[LocatedFace]:
        # Grey costs a fifth less than colour, which finds nothing more on ordinary photos.
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        boxes, scores, _ = self._detector.run(grey, 0, 0.0)
        faces = [
            LocatedFace(
                left=box.left(),
                top=box.top(),
                width=box.width(),
                height=box.height(),
                confidence=_confidence(score),
            )
            for box, score in zip(boxes, scores, strict=True)
        ]
        return sorted(faces, key=lambda face: -face.confidence)


@functools.cache
def _frontal_faces() -> "dlib.fhog_object_detector":
    """Unpacked once in a process: it takes half a second."""
    return dlib.get_frontal_face_detector()


def rows_to_search_again(faces: list[LocatedFace], height: int) -> tuple[float, float] | None:
    """From which row to which there may be faces too small to be found at this size.

    The whole photo when nobody was found; None when everybody is large.
    """
    if not faces:
        return 0, height
    small = [face for face in faces if face.width < NEARLY_TOO_SMALL]
    if not small:
        return None
    top = min(face.top - _ROWS_AROUND * face.height for face in small)
    bottom = max(face.top + (1 + _ROWS_AROUND) * face.height for face in small)
    return max(0, top), min(height, bottom)


def _confidence(score: float) -> float:
    """HOG's open-ended score (0 is its threshold, 3 a perfect portrait) as 0.5 to 1."""
    return 1.0 - float(2.0 ** (-1.0 - score))
