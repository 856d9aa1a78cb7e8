"""A face that was found: where it is, which finds are the same face, and how good it is.

The quality is how much a face says about who it is, by its sharpness, size and pose. Measured
with labelled photos that were made smaller and blurred, and compared with the sharp ones
(recall: share of the same person's pairs that are at least 85 alike):

    width of the face         100 px   100 px, blurred   20 px   20 px, blurred   12 px
    quality (median)             1.0         0.03         0.22        0.07         0.07
    recall                      1.00         0.20         0.83        0.53         0.17

Below MIN_QUALITY few of the right pairs are found, and strangers begin to look alike: the only
false matches of the whole measurement were faces blurred like those of the second column.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from services.recognition.engine.decode import PhotoScales

Points = npt.NDArray[np.float64]

# Finds that share more than this much of their union, or of the smaller one, are one face: a
# detector's second find lies within the first, and even cheeks that touch overlap far less.
_SAME_UNION = 0.3
_SAME_SMALLER = 0.6

_BLURRED, _SHARP = 1.3, 3.5
_SMALL_PX = 60.0

# Turned further than the first, a face shows less; at the second, it is a profile. Pose alone
# never makes a face unmatched: profiles that dlib embeds well are common enough.
_FRONTAL, _PROFILE = 0.35, 0.8
_PROFILE_SHARE = 0.3

# In chips of 150 pixels: the band between these two blurs is the detail that an optical blur or
# enlargement removes; the band from the second to twice the blur is still there then.
_FINE_SIGMA = 3.0
_TILES = 5
_NOISE_FLOOR = 1.0  # rounding, where the skin is flat; in squared grey levels


@dataclass(frozen=True, slots=True)
class LocatedFace:
    """A box in pixels, which may reach beyond the picture.

    `landmarks` (5, 2): the person's right eye, left eye, tip of the nose, right and left corner of
    the mouth.
    """

    left: float
    top: float
    width: float
    height: float
    confidence: float  # 0..1
    landmarks: Points
    #: Whether it is known which way up it is: else its landmarks are somewhere, and an embedding
    #: by them says nothing.
    is_aligned: bool = True

    @property
    def centre(self) -> complex:
        """The middle of the box, as x + iy."""
        return complex(self.left + self.width / 2, self.top + self.height / 2)

    @property
    def tilt(self) -> float:
        """By how much the landmarks are turned clockwise, in radians."""
        right_eye, left_eye, _, right_mouth, left_mouth = self.landmarks
        # From the mouth up to the eyes is less sure: heads nod more than they are crooked.
        across_x, across_y = left_eye - right_eye + left_mouth - right_mouth
        return math.atan2(across_y, across_x)

    def moved(self, turn: complex, shift: complex) -> "LocatedFace":
        """The same face where each x + iy becomes `turn * (x + iy) + shift`.

        The box stays upright: of a face that then lies on its side, width and height change places.
        """
        scale = abs(turn)
        size = self.width * scale, self.height * scale
        width, height = size if abs(turn.real) >= abs(turn.imag) else size[::-1]
        centre = turn * self.centre + shift
        points = turn * (self.landmarks[:, 0] + 1j * self.landmarks[:, 1]) + shift
        return replace(
            self,
            left=centre.real - width / 2,
            top=centre.imag - height / 2,
            width=width,
            height=height,
            landmarks=np.stack([points.real, points.imag], axis=1),
        )

    def scaled(self, factor: float) -> "LocatedFace":
        """The same face in the same picture at another size."""
        return self.moved(factor, 0)

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
    """The surest find of each face, the surest first; those of doubtful alignment last."""
    kept: list[LocatedFace] = []
    for face in sorted(faces, key=lambda face: (not face.is_aligned, -face.confidence)):
        if not any(_same(face, other) for other in kept):
            kept.append(face)
    return kept


def quality(chip: npt.NDArray[np.uint8], *, width_px: float, turn: float) -> float:
    """0..1 of an aligned square chip, the face's width in the photo, and `head_turn`."""
    sharp = _ramp(sharpness(chip), _BLURRED, _SHARP)
    size = min(1.0, width_px / _SMALL_PX)
    pose = 1.0 - (1.0 - _PROFILE_SHARE) * _ramp(turn, _FRONTAL, _PROFILE)
    return sharp * size * pose


def sharpness(chip: npt.NDArray[np.uint8]) -> float:
    """Fine detail relative to coarse: about 7 for a sharp face, below 1.6 for a blurred one.

    Relative, because a dim face may be as sharp as a bright one. The median over tiles of the
    middle of the chip, because a single edge (of the picture, of a collar) is sharper than any
    face. The plain variance of the Laplacian told blurred faces apart far less well.
    """
    margin = chip.shape[0] // 6
    middle = np.ascontiguousarray(chip[margin:-margin, margin:-margin])
    grey = cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY).astype(np.float32)
    blurred = cv2.GaussianBlur(grey, (0, 0), _FINE_SIGMA)
    fine = _tile_variances(grey - blurred)
    coarse = _tile_variances(blurred - cv2.GaussianBlur(blurred, (0, 0), _FINE_SIGMA))
    return float(np.median(fine / (coarse + _NOISE_FLOOR)))


def head_turn(
    right_eye: npt.NDArray[np.float64],
    left_eye: npt.NDArray[np.float64],
    nose: npt.NDArray[np.float64],
) -> float:
    """How far the nose is from the middle between the eyes, sideways, in eye distances."""
    across = left_eye - right_eye
    squared = float(across @ across)
    if not squared:
        return 1.0
    return abs(float((nose - (right_eye + left_eye) / 2) @ across)) / squared


def _same(one: LocatedFace, other: LocatedFace) -> bool:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if across <= 0 or down <= 0:
        return False
    shared = across * down
    areas = one.width * one.height, other.width * other.height
    return shared > _SAME_UNION * (sum(areas) - shared) or shared > _SAME_SMALLER * min(areas)


def _tile_variances(band: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    side = band.shape[0] // _TILES
    whole = band[: side * _TILES, : side * _TILES].astype(np.float64)
    variances: npt.NDArray[np.float64] = whole.reshape(_TILES, side, _TILES, side).var(axis=(1, 3))
    return variances


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
