"""The rule for selfies: one face, large enough, and known which way up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.recognition.engine.face_engine import DetectedFace

#: To be raised with whatever changes what a check comes to: the rule here, a detector, the size of
#: the picture. Results that are kept of another version are not used.
VERSION = 3
# Sizes are judged on the picture scaled to this long side, so that a phone's resolution and an
# app's recompression make no difference.
REFERENCE_LONG_SIDE_PX = 1024
MIN_SIDE_PX = 44.0
MIN_AREA_PX = 5000.0
MIN_AREA_SHARE = 0.008
# Smaller than this share of the largest face's area: a passer-by or a picture on the wall.
BYSTANDER_AREA_SHARE = 0.15
# Below it a detection may be a badge or a pattern, sometimes larger than the face itself: ignored
# beside a sure one. Measured: badges up to 0.60, labelled faces from 0.69.
SURE_CONFIDENCE = 0.62

NO_FACE = "We could not find a face in this photo. Look straight at the camera, in good light."
SEVERAL_FACES = "There is more than one face in this photo. Take a selfie of you alone."
NOT_UPRIGHT = (
    "We cannot tell which way up your face is in this photo. Hold the phone and your head upright."
)
TOO_SMALL = "Your face is too small in this photo. Hold the camera closer."


@dataclass(frozen=True, slots=True)
class SelfieVerdict:
    """`face` is the index of the guest's own face, or `problem` is the sentence for the guest."""

    face: int | None = None
    problem: str | None = None

    @property
    def accepted(self) -> bool:
        return self.face is not None


def check_selfie(width: int, height: int, faces: Sequence[DetectedFace]) -> SelfieVerdict:
    """Judge a selfie of this size in pixels by the faces found in it."""
    own = own_face(faces)
    if own is None:
        return SelfieVerdict(problem=NO_FACE)
    scale = REFERENCE_LONG_SIDE_PX / max(width, height)
    sides = {
        i: (faces[i].width * width * scale, faces[i].height * height * scale)
        for i in _candidates(faces)
    }
    areas = {i: across * down for i, (across, down) in sides.items()}
    if sum(area >= BYSTANDER_AREA_SHARE * areas[own] for area in areas.values()) > 1:
        return SelfieVerdict(problem=SEVERAL_FACES)

    min_area = max(MIN_AREA_PX, MIN_AREA_SHARE * width * height * scale * scale)
    if min(sides[own]) < MIN_SIDE_PX or areas[own] < min_area:
        return SelfieVerdict(problem=TOO_SMALL)
    if not faces[own].is_aligned:
        return SelfieVerdict(problem=NOT_UPRIGHT)
    return SelfieVerdict(face=own)


def own_face(faces: Sequence[DetectedFace]) -> int | None:
    """The index of the guest's own face, the largest of the sure ones; None without any face."""
    return max(_candidates(faces), key=lambda i: faces[i].width * faces[i].height, default=None)


def _candidates(faces: Sequence[DetectedFace]) -> list[int]:
    """What counts as a face: beside a sure one, an unsure one is a pattern on the clothes.

    One of which the way up is in doubt counts, as it may be the guest's own beside a friend's.
    """
    sure = [i for i, face in enumerate(faces) if face.confidence >= SURE_CONFIDENCE]
    return sure or list(range(len(faces)))
