import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.engine.face_engine import (
    CALIBRATED_SIMILARITY,
    EMBEDDED,
    FloatArray,
    stacked,
    to_bytes,
)
from services.recognition.matching.compare import alike_pairs

CALIBRATION = EMBEDDED.calibration
SIZE = EMBEDDED.embedding_size
distances = st.floats(0, 3)


def _embeddings(count: int, seed: int) -> FloatArray:
    """About 1.3 long, some near to each other and some far."""
    random = np.random.default_rng(seed)
    people = random.normal(size=(4, SIZE))
    looks = people[random.integers(0, 4, count)] + 0.4 * random.normal(size=(count, SIZE))
    unit = looks / np.linalg.norm(looks, axis=1, keepdims=True)
    return np.asarray(1.3 * unit, np.float32)


@given(distances, distances)
def test_similarity_never_grows_with_the_distance(one: float, other: float) -> None:
    nearer, farther = sorted((one, other))
    assert 100 >= CALIBRATION.similarity(nearer) >= CALIBRATION.similarity(farther) >= 0


def test_the_default_threshold_is_a_distance_of_0_54() -> None:
    assert CALIBRATION.similarity(0.54) == pytest.approx(CALIBRATED_SIMILARITY)
    assert CALIBRATION.similarity(0.0) == 100.0
    assert CALIBRATION.similarity(1.2) == 0.0


@given(st.floats(0, 100))
def test_the_distance_of_a_similarity_has_that_similarity(value: float) -> None:
    assert CALIBRATION.similarity(CALIBRATION.distance_of(value)) == pytest.approx(value, abs=1e-9)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 10_000), st.floats(0, 100))
def test_the_alike_pairs_are_those_of_comparing_every_pair(
    selfies: int, faces: int, seed: int, threshold: float
) -> None:
    ours = _embeddings(selfies, seed)
    theirs = _embeddings(faces, seed + 1)
    found = alike_pairs(ours, theirs, CALIBRATION, threshold)
    pairs = dict(zip(zip(found.selfies, found.faces, strict=True), found.similarities, strict=True))
    for row in range(selfies):
        for column in range(faces):
            exact = CALIBRATION.similarity(
                float(np.linalg.norm(ours[row].astype(float) - theirs[column]))
            )
            if abs(exact - threshold) < 1e-3:
                continue  # float32 may decide either way
            assert ((row, column) in pairs) == (exact > threshold)
            if (row, column) in pairs:
                assert pairs[row, column] == pytest.approx(exact, abs=1e-3)


def test_a_face_is_completely_like_its_own_selfie() -> None:
    people = _embeddings(3, seed=7)
    found = alike_pairs(people[1:2], people, CALIBRATION, CALIBRATED_SIMILARITY)
    assert found.selfies.tolist()[0] == 0
    assert found.similarities[found.faces.tolist().index(1)] == 100.0


def test_what_is_below_the_threshold_is_left_out() -> None:
    selfie = np.zeros((1, SIZE), np.float32)
    face = np.zeros((1, SIZE), np.float32)
    face[0, 0] = 0.57
    assert not len(alike_pairs(selfie, face, CALIBRATION, CALIBRATED_SIMILARITY).faces)
    found = alike_pairs(selfie, face, CALIBRATION, threshold=75)
    assert found.similarities == pytest.approx([CALIBRATION.similarity(0.57)], abs=1e-3)


def test_an_embedding_survives_the_way_through_bytes() -> None:
    (embedding,) = _embeddings(1, seed=3)
    data = to_bytes(embedding)
    assert len(data) == 2 * SIZE
    matrix = stacked([data, data], SIZE)
    assert matrix.dtype == np.float32
    assert np.linalg.norm(matrix - embedding, axis=1).max() < 5e-4


def test_no_embeddings_are_a_matrix_of_no_rows() -> None:
    assert stacked([], SIZE).shape == (0, SIZE)


def test_bytes_are_little_endian() -> None:
    embedding = np.zeros(SIZE, np.float32)
    embedding[0] = 1.0
    assert to_bytes(embedding)[:4] == b"\x00\x3c\x00\x00"


def test_embeddings_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one dimension"):
        to_bytes(np.zeros((2, 64), np.float32))
    with pytest.raises(ValueError, match="reshape"):
        stacked([b"\0" * (2 * SIZE - 2)], SIZE)
