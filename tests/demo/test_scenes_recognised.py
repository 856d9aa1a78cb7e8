"""What dlib, whose weights the embedded engine runs, makes of the drawn people."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import dlib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from demo import scenes

THRESHOLD = 0.6
CLEARANCE_WITHIN = 0.25
CLEARANCE_ACROSS = 0.04
SIZE = (1600, 1200)
PHOTOS = 12

Descriptor = NDArray[np.float64]


@dataclass(frozen=True)
class Face:
    x: float
    y: float
    descriptor: Descriptor


Finder = Callable[[NDArray[np.uint8]], list[Face]]


@pytest.fixture(scope="module")
def find_faces() -> Finder:
    package = find_spec("face_recognition_models")
    assert package is not None
    assert package.origin is not None
    models = Path(package.origin).parent / "models"
    detect = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(
        str(models / "dlib_face_recognition_resnet_model_v1.dat")
    )

    def find(pixels: NDArray[np.uint8]) -> list[Face]:
        faces = []
        for box in detect(pixels, 0):
            chip = dlib.get_face_chip(pixels, landmarks(pixels, box), 150, 0.25)
            descriptor = np.array(network.compute_face_descriptor(chip))
            faces.append(Face(box.center().x, box.center().y, descriptor))
        return faces

    return find


@dataclass
class Seen:
    descriptors: dict[str, list[Descriptor]]
    missed: int = 0
    invented: int = 0

    @property
    def faces(self) -> int:
        return sum(len(each) for each in self.descriptors.values())


@pytest.fixture(scope="module")
def seen(find_faces: Finder) -> Seen:
    plan = scenes.event(seed=21, photos=PHOTOS, guests=4, mean_faces=3, size=SIZE)
    result = Seen({name: [] for name in scenes.PEOPLE})
    for photo in plan.photos:
        pixels = scenes.compose(photo.scene)
        height, width = pixels.shape[:2]
        faces = find_faces(pixels)
        for placement in photo.scene.people:
            x, y = placement.x * width, placement.y * height
            reach = placement.head_height * min(width, height) / 2
            here = [face for face in faces if abs(face.x - x) + abs(face.y - y) < reach]
            if here:
                faces.remove(here[0])
                result.descriptors[placement.person].append(here[0].descriptor)
            else:
                result.missed += 1
        result.invented += len(faces)
    return result


def test_every_drawn_face_is_found_and_no_other(seen: Seen) -> None:
    drawn = seen.faces + seen.missed
    assert drawn >= 30
    assert seen.faces / drawn >= 0.98
    assert seen.invented == 0


def test_a_selfie_matches_its_guest_in_every_photo_and_nobody_else(
    seen: Seen, find_faces: Finder
) -> None:
    for guest in scenes.GUESTS:
        with Image.open(BytesIO(scenes.selfie(guest.name, 1))) as image:
            (own,) = find_faces(np.asarray(image))
        for person, descriptors in seen.descriptors.items():
            distances = [float(np.linalg.norm(own.descriptor - each)) for each in descriptors]
            assert distances
            if person == guest.name:
                assert max(distances) < THRESHOLD - CLEARANCE_WITHIN
            else:
                assert min(distances) > THRESHOLD + CLEARANCE_ACROSS


def test_a_portrait_is_one_face(find_faces: Finder) -> None:
    for person in scenes.PEOPLE:
        assert len(find_faces(scenes.portrait(person))) == 1
