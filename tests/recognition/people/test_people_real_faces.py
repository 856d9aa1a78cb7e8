"""Real faces become people: each person one group, nobody in another's."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import CALIBRATED_SIMILARITY, EMBEDDED, MIN_QUALITY
from services.recognition.people.grouping import group_faces
from services.recognition.people.people import People, SeenFace
from tests.support.faces import astronaut, grace_hopper, labelled_faces


@pytest.fixture(scope="module")
def engine(model_dir: Path) -> EmbeddedEngine:
    return EmbeddedEngine(model_dir=model_dir)


def people_in(engine: EmbeddedEngine, paths: Iterable[Path]) -> list[list[Path]]:
    """The photos of each person who is in two or more."""
    numbered = list(paths)
    faces: list[SeenFace] = []
    embeddings = []
    for number, path in enumerate(numbered):
        for face in engine.analyze(path).faces:
            if face.quality >= MIN_QUALITY:
                box = (face.left, face.top, face.width, face.height)
                faces.append(SeenFace(number, *box, len(faces), face.confidence, face.quality))
                embeddings.append(face.embedding)
    groups = group_faces(
        np.array(embeddings),
        largest_distance=EMBEDDED.calibration.distance_of(CALIBRATED_SIMILARITY),
    )
    people = People(faces, groups.tolist()).page(min_photos=2, limit=99, after=None)
    return sorted(sorted(numbered[face.photo_id] for face in person.faces) for person in people)


def test_every_labelled_person_of_two_photos_or_more_is_one_group_and_nobody_else_is(
    engine: EmbeddedEngine,
) -> None:
    """15 photos, 18 faces of 5 people, and one or two of strangers, who stay alone."""
    photos = labelled_faces().photos
    people = set.union(*photos.values())
    truth = [sorted(path for path, shown in photos.items() if person in shown) for person in people]
    assert people_in(engine, photos) == sorted(paths for paths in truth if len(paths) > 1)


def test_portraits_in_other_light_size_and_angle_are_the_same_two_people(
    engine: EmbeddedEngine, tmp_path: Path
) -> None:
    truth = []
    for name, portrait in (("a", astronaut()), ("b", grace_hopper())):
        versions = {
            "as-it-is": portrait,
            "brighter": ImageEnhance.Brightness(portrait).enhance(1.3),
            "darker": ImageEnhance.Brightness(portrait).enhance(0.7),
            "tilted": portrait.rotate(8, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90)),
            "mirrored": portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        }
        paths = [tmp_path / f"{name}-{version}.jpg" for version in versions]
        for path, picture in zip(paths, versions.values(), strict=True):
            picture.save(path, quality=90)
        truth.append(sorted(paths))
    assert people_in(engine, [path for paths in truth for path in paths]) == truth
