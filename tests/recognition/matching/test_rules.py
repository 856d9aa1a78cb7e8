import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.engine.profiles import EMBEDDED
from services.recognition.matching.rules import FaceSet, SelfieSet, best_matches
from tests.support.scripted_engine import embedding_of

people = st.lists(st.integers(0, 5), max_size=8)


def selfies_of(persons: list[int]) -> SelfieSet:
    """One selfie each; user ids from 100, selfie ids from 200."""
    return SelfieSet(
        selfie_ids=np.arange(200, 200 + len(persons)),
        user_ids=np.arange(100, 100 + len(persons)),
        embeddings=stacked([embedding_of(person) for person in persons]),
    )


def faces_of(photos: list[list[int]]) -> FaceSet:
    """The people of each photo; photo ids from 300, face ids from 400."""
    appearances = [(300 + n, person) for n, crowd in enumerate(photos) for person in crowd]
    return FaceSet(
        face_ids=np.arange(400, 400 + len(appearances)),
        photo_ids=np.array([photo for photo, _ in appearances], np.int64),
        embeddings=stacked([embedding_of(person) for _, person in appearances]),
    )


def stacked(embeddings: list[np.ndarray]) -> np.ndarray:
    return np.array(embeddings, np.float32).reshape(-1, 128)


@given(people, st.lists(people, max_size=6))
def test_each_selfie_gets_exactly_the_photos_its_person_is_in_and_each_once(
    guests: list[int], photos: list[list[int]]
) -> None:
    found = best_matches(
        selfies_of(guests), faces_of(photos), threshold=85, calibration=EMBEDDED.calibration
    )
    assert [(match.user_id, match.photo_id) for match in found] == [
        (100 + guest, 300 + photo)
        for guest, person in enumerate(guests)
        for photo, crowd in enumerate(photos)
        if person in crowd
    ]


def test_of_several_faces_the_one_most_alike_is_kept() -> None:
    selfies = selfies_of([1])
    faces = faces_of([[1, 1]])
    faces.embeddings[0] += np.float32(0.02)
    (match,) = best_matches(selfies, faces, threshold=85, calibration=EMBEDDED.calibration)
    assert match.face_id == 401
    assert match.similarity == 100.0
