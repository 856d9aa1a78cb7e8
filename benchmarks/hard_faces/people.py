"""Whose faces are made hard: labelled photos of real people beside the repository, else the demo's.

Nothing is copied: faces are cut out in memory, at every run anew.
"""

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from demo import scenes
from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.detect.found_face import FaceDetector, Points
from services.recognition.engine.detect.yunet import open_yunet
from services.recognition.engine.face_engine import (
    Calibration,
    DetectedFace,
    Engine,
    FloatArray,
    Purpose,
)
from services.recognition.engine.models.files import ModelUnusable, default_model_dir

Pixels = npt.NDArray[np.uint8]

# What is cut out around a face, in widths of it: more would reach the neighbours of some.
CUT_OUT_SHARE = 2.4
# More alike than this are copies of one photograph, not two of one person: a face that is found
# again in its own selfie proves nothing.
_SAME_PHOTOGRAPH = 96.0
_DEMO_PHOTOS = 2
_RIM = 0.01


@dataclass(frozen=True, slots=True)
class SourceFace:
    """A face as it was photographed, in the middle of an RGB square of `CUT_OUT_SHARE`.

    In the square's pixels: `landmarks` (5, 2), in YuNet's order, and the box's width and height.
    """

    person: str
    pixels: Pixels
    landmarks: Points
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class People:
    """Embeddings of selfies by person, and faces of some of these people in other photos."""

    selfies: dict[str, FloatArray]
    faces: list[SourceFace]


@dataclass(frozen=True, slots=True)
class _Photo:
    path: Path
    names: Sequence[str]


def load_people(
    engine: Engine, calibration: Calibration, labelled: Path, model_dir: Path | None
) -> People:
    """The demo's people and the labelled set's, whose faces alone are made hard where it is there.

    Raises `ModelUnusable` without YuNet, which says where the landmarks are.
    """
    detector = open_yunet(model_dir or default_model_dir())
    if detector is None:
        raise ModelUnusable("hard faces are drawn by YuNet's landmarks")
    with tempfile.TemporaryDirectory() as folder:
        selfies, photos = _demo(Path(folder))
        is_labelled = (labelled / "labels.json").is_file()
        if is_labelled:
            labels = json.loads((labelled / "labels.json").read_text())
            selfies |= {name: labelled / path for name, path in labels["selfies"].items()}
            photos = [_Photo(labelled / path, names) for path, names in labels["photos"].items()]
        people = People({name: _own_face(engine, path) for name, path in selfies.items()}, [])
        seen: list[FloatArray] = []
        for photo in photos:
            faces = engine.analyze(photo.path).faces
            for name, found in _named(photo, faces, people.selfies).items():
                known = [people.selfies[name], *seen]
                alike = max(calibration.similarity(_apart(found.embedding, one)) for one in known)
                # The demo draws all pictures of somebody from one portrait.
                is_another = alike < _SAME_PHOTOGRAPH or not is_labelled
                if is_another and _is_whole(found):
                    seen.append(found.embedding)
                    people.faces.append(_cut_out(photo.path, name, found, detector))
    return people


def _demo(folder: Path) -> tuple[dict[str, Path], list[_Photo]]:
    selfies, photos = {}, []
    for name in scenes.PEOPLE:
        for seed in range(1 + _DEMO_PHOTOS):
            path = folder / f"{name}-{seed}.jpg"
            path.write_bytes(scenes.selfie(name, seed))
            if seed:
                photos.append(_Photo(path, [name]))
            else:
                selfies[name] = path
    return selfies, photos


def _own_face(engine: Engine, path: Path) -> FloatArray:
    faces = engine.analyze(path, Purpose.SELFIE).faces
    return max(faces, key=lambda face: face.width * face.height).embedding


def _named(
    photo: _Photo, faces: Sequence[DetectedFace], selfies: dict[str, FloatArray]
) -> dict[str, DetectedFace]:
    """Labels say who is in a photo, not where: the surest first, each takes the face most alike."""
    pairs = sorted(
        (_apart(face.embedding, selfies[name]), name, number)
        for name in photo.names
        for number, face in enumerate(faces)
    )
    taken: dict[str, int] = {}
    for _, name, number in pairs:
        if name not in taken and number not in taken.values():
            taken[name] = number
    return {name: faces[number] for name, number in taken.items()}


def _is_whole(face: DetectedFace) -> bool:
    """Whether it does not lie at a side of its photo, which may have cut it off."""
    return (
        min(face.left, face.top) > _RIM
        and max(face.left + face.width, face.top + face.height) < 1 - _RIM
    )


def _cut_out(path: Path, person: str, found: DetectedFace, detector: FaceDetector) -> SourceFace:
    photo = PhotoScales(path)
    rows, columns = photo.base.shape[:2]
    middle = complex(
        (found.left + found.width / 2) * columns, (found.top + found.height / 2) * rows
    )
    face = min(detector.locate(photo), key=lambda face: abs(face.centre - middle))
    side = math.ceil(face.width * CUT_OUT_SHARE)
    corner = face.centre - side / 2 * (1 + 1j)
    pixels = _square(photo.base, round(corner.real), round(corner.imag), side)
    landmarks = face.landmarks - [round(corner.real), round(corner.imag)]
    return SourceFace(person, pixels, landmarks, face.width, face.height)


def _square(pixels: Pixels, left: int, top: int, side: int) -> Pixels:
    """Cut out, the picture's last rows and columns going on where it ends."""
    rows, columns = pixels.shape[:2]
    part = pixels[max(0, top) : top + side, max(0, left) : left + side]
    return np.asarray(
        cv2.copyMakeBorder(
            part,
            max(0, -top),
            max(0, top + side - rows),
            max(0, -left),
            max(0, left + side - columns),
            cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )


def _apart(one: FloatArray, other: FloatArray) -> float:
    return float(np.linalg.norm(one - other))
