import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.recognition.engine.face_engine import EMBEDDED
from services.recognition.matching import compare
from services.recognition.matching.compare import FaceSet, Match, SelfieSet, best_matches
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
    return np.array(embeddings, np.float32).reshape(-1, EMBEDDED.embedding_size)


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


def naive_matches(selfies: SelfieSet, faces: FaceSet, threshold: float) -> list[Match]:
    """The rule, pair by pair."""
    best: dict[tuple[int, int], Match] = {}
    for row in range(len(selfies)):
        for column in range(len(faces)):
            distance = np.linalg.norm(selfies.embeddings[row] - faces.embeddings[column])
            similarity = EMBEDDED.calibration.similarity(float(distance))
            # Rounding may decide on these.
            assume(abs(similarity - threshold) > 0.01)
            match = Match(
                user_id=int(selfies.user_ids[row]),
                photo_id=int(faces.photo_ids[column]),
                selfie_id=int(selfies.selfie_ids[row]),
                face_id=int(faces.face_ids[column]),
                similarity=similarity,
            )
            key = (match.selfie_id, match.photo_id)
            if similarity >= threshold and (
                key not in best or similarity > best[key].similarity + 0.01
            ):
                best[key] = match
    return sorted(best.values())


@given(
    selfie_owners=st.lists(st.integers(1, 3), max_size=7),
    photos_of_faces=st.lists(st.integers(1, 4), max_size=12),
    seed=st.integers(0, 2**32 - 1),
    tiles=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    threshold=st.sampled_from([50.0, 75.0, 85.0]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_matches_are_those_of_comparing_every_pair_whatever_the_tiles(
    monkeypatch: pytest.MonkeyPatch,
    selfie_owners: list[int],
    photos_of_faces: list[int],
    seed: int,
    tiles: tuple[int, int],
    threshold: float,
) -> None:
    monkeypatch.setattr(compare, "TILE_SELFIES", tiles[0])
    monkeypatch.setattr(compare, "TILE_FACES", tiles[1])
    random = np.random.default_rng(seed)
    people = [embedding_of(person) for person in range(3)]

    def somebody(count: int) -> np.ndarray:
        """Faces of three people, each as alike to the person as chance has it."""
        return stacked(
            [
                people[random.integers(3)]
                + np.float32(random.uniform(0, 0.6)) * embedding_of(int(random.integers(9, 99)))
                for _ in range(count)
            ]
        )

    selfies = SelfieSet(
        selfie_ids=np.arange(200, 200 + len(selfie_owners)),
        user_ids=np.array(selfie_owners, np.int64),
        embeddings=somebody(len(selfie_owners)),
    )
    faces = FaceSet(
        face_ids=np.arange(400, 400 + len(photos_of_faces)),
        photo_ids=np.array(photos_of_faces, np.int64),
        embeddings=somebody(len(photos_of_faces)),
    )
    found = best_matches(selfies, faces, threshold=threshold, calibration=EMBEDDED.calibration)
    wanted = naive_matches(selfies, faces, threshold)
    assert [(m.user_id, m.photo_id, m.selfie_id) for m in found] == [
        (m.user_id, m.photo_id, m.selfie_id) for m in wanted
    ]
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.similarity == pytest.approx(theirs.similarity, abs=0.02)
