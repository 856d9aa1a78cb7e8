"""Where a face is in a picture, and which of several finds are the same face."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.recognition.engine.decode.photo_scales import PhotoScales

Points = npt.NDArray[np.float64]

# Finds that share more than this much of their union, or of the smaller one, are one face: a
# detector's second find lies within the first, and even cheeks that touch overlap far less.
_SAME_UNION = 0.3
_SAME_SMALLER = 0.6


@dataclass(frozen=True, slots=True)
class LocatedFace:
    """A box in pixels, which may reach beyond the picture.

    `landmarks` (5, 2), where the detector has them: the person's right eye, left eye, tip of
    the nose, right and left corner of the mouth.
    """

    left: float
    top: float
    width: float
    height: float
    confidence: float  # 0..1
    landmarks: Points | None = None

    def scaled(self, factor: float) -> "LocatedFace":
        """The same face in the same picture at another size."""
        return LocatedFace(
            self.left * factor,
            self.top * factor,
            self.width * factor,
            self.height * factor,
            self.confidence,
            None if self.landmarks is None else self.landmarks * factor,
        )

    def shifted(self, *, down: float) -> "LocatedFace":
        """The same face in a picture with that many more rows above it."""
        return LocatedFace(
            self.left,
            self.top + down,
            self.width,
            self.height,
            self.confidence,
            None if self.landmarks is None else self.landmarks + np.array([0.0, down]),
        )

    def clipped(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, width and height of what lies within a picture of this size."""
        left, top = max(0.0, self.left), max(0.0, self.top)
        right = min(float(width), self.left + self.width)
        bottom = min(float(height), self.top + self.height)
        return left, top, max(0.0, right - left), max(0.0, bottom - top)


class FaceDetector(Protocol):
    """Finds faces in a photo."""

    def locate(self, photo: PhotoScales) -> list[LocatedFace]:
        """The faces, in pixels of `photo.base`, the surest first."""
        ...


def without_repeats(faces: Sequence[LocatedFace]) -> list[LocatedFace]:
    """The surest find of each face, the surest first."""
    kept: list[LocatedFace] = []
    for face in sorted(faces, key=lambda face: -face.confidence):
        if not any(_same(face, other) for other in kept):
            kept.append(face)
    return kept


def _same(one: LocatedFace, other: LocatedFace) -> bool:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if across <= 0 or down <= 0:
        return False
    shared = across * down
    areas = one.width * one.height, other.width * other.height
    return shared > _SAME_UNION * (sum(areas) - shared) or shared > _SAME_SMALLER * min(areas)
