"""The rule for selfies: one face, large enough. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

# Sizes are judged on the picture scaled to this long side, so that a phone's resolution and an
# app's recompression make no difference.
REFERENCE_LONG_SIDE_PX = 1024
MIN_SIDE_PX = 44.0
MIN_AREA_PX = 5000.0
MIN_AREA_SHARE = 0.008
# Smaller than this share of the largest face's area: a passer-by or a picture on the wall.
BYSTANDER_AREA_SHARE = 0.15

NO_FACE = "We could not find a face in this photo. Look straight at the camera, in good light."
SEVERAL_FACES = "There is more than one face in this photo. Take a selfie of you alone."
TOO_SMALL = "Your face is too small in this photo. Hold the camera closer."


class Box(Protocol):
    """A face's size in fractions (0..1) of the photo."""

    @property
    def width(self) -> float: ...
    @property
    def height(self) -> float: ...


@dataclass(frozen=True, slots=True)
class SelfieVerdict:
    """`face` is the index of the guest's own face, or `problem` is the sentence for the guest."""

    face: int | None = None
    problem: str | None = None

    @property
    def accepted(self) -> bool:
        return self.face is not None


def check_selfie(width: int, height: int, faces: Iterable[Box]) -> SelfieVerdict:
    """Judge a selfie of this size in pixels by the faces found in it."""
    scale = REFERENCE_LONG_SIDE_PX / max(width, height)
    sides = [(face.width * width * scale, face.height * height * scale) for face in faces]
    if not sides:
        return SelfieVerdict(problem=NO_FACE)

    areas = [across * down for across, down in sides]
    largest = max(range(len(areas)), key=areas.__getitem__)
    if sum(area >= BYSTANDER_AREA_SHARE * areas[largest] for area in areas) > 1:
        return SelfieVerdict(problem=SEVERAL_FACES)

    picture_area = width * height * scale * scale
    min_area = max(MIN_AREA_PX, MIN_AREA_SHARE * picture_area)
    if min(sides[largest]) < MIN_SIDE_PX or areas[largest] < min_area:
        return SelfieVerdict(problem=TOO_SMALL)
    return SelfieVerdict(face=largest)
