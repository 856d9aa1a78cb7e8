"""What the embedded engine makes of the drawn people."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from demo import scenes
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import (
    CALIBRATED_SIMILARITY,
    EMBEDDED,
    MIN_QUALITY,
    DetectedFace,
    FloatArray,
)

#: How far guests are above the threshold, and everybody else below: no draw of luck decides.
CLEARANCE = 7.0
SIZE = (1600, 1200)
PHOTOS = 12

Finder = Callable[[bytes], list[DetectedFace]]


@pytest.fixture(scope="module")
def find_faces(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Finder:
    engine = EmbeddedEngine(model_dir=model_dir)
    path = tmp_path_factory.mktemp("pictures") / "picture.jpg"

    def find(jpeg: bytes) -> list[DetectedFace]:
        path.write_bytes(jpeg)
        return list(engine.analyze(path).faces)

    return find


@dataclass
class Seen:
    embeddings: dict[str, list[FloatArray]]
    missed: int = 0
    unusable: int = 0
    invented: int = 0

    @property
    def faces(self) -> int:
        return sum(len(each) for each in self.embeddings.values())


@pytest.fixture(scope="module")
def seen(find_faces: Finder) -> Seen:
    plan = scenes.event(seed=21, photos=PHOTOS, guests=4, mean_faces=3, size=SIZE)
    result = Seen({name: [] for name in scenes.PEOPLE})
    for photo in plan.photos:
        pixels = scenes.compose(photo.scene)
        faces = find_faces(scenes.jpeg_bytes(pixels))
        for placement in photo.scene.people:
            here = [face for face in faces if _is_at(face, placement, pixels)]
            if here:
                faces.remove(here[0])
                result.embeddings[placement.person].append(here[0].embedding)
                result.unusable += here[0].quality < MIN_QUALITY
            else:
                result.missed += 1
        result.invented += len(faces)
    return result


def _is_at(face: DetectedFace, placement: scenes.Placement, pixels: NDArray[np.uint8]) -> bool:
    height, width = pixels.shape[:2]
    right = (face.left + face.width / 2 - placement.x) * width
    down = (face.top + face.height / 2 - placement.y) * height
    reach = placement.head_height * min(width, height) / 2
    return bool(abs(right) + abs(down) < reach)


def _similarity(one: FloatArray, other: FloatArray) -> float:
    return EMBEDDED.calibration.similarity(float(np.linalg.norm(one - other)))


def test_every_drawn_face_is_found_and_no_other(seen: Seen) -> None:
    assert seen.faces >= 30
    assert (seen.missed, seen.unusable, seen.invented) == (0, 0, 0)


def test_a_selfie_matches_its_guest_in_every_photo_and_nobody_else(
    seen: Seen, find_faces: Finder
) -> None:
    for guest in scenes.GUESTS:
        (own,) = find_faces(scenes.selfie(guest.name, 1))
        for person, embeddings in seen.embeddings.items():
            similarities = [_similarity(own.embedding, each) for each in embeddings]
            assert similarities
            if person == guest.name:
                assert min(similarities) > CALIBRATED_SIMILARITY + CLEARANCE
            else:
                assert max(similarities) < CALIBRATED_SIMILARITY - CLEARANCE


def test_a_portrait_is_one_face(find_faces: Finder) -> None:
    for person in scenes.PEOPLE:
        assert len(find_faces(scenes.jpeg_bytes(scenes.portrait(person)))) == 1
