"""Faces without names become people. The judge is SciPy's clustering of all distances."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage  # type: ignore[import-untyped]
from scipy.spatial.distance import pdist  # type: ignore[import-untyped]

from services.recognition.engine.face_engine import EMBEDDED
from services.recognition.people.grouping import Embeddings, group_faces
from tests.support.scripted_engine import embedding_of

NEAR = 0.54
SIZE = EMBEDDED.embedding_size
seeds = st.integers(0, 2**32 - 1)


def partition(labels: Sequence[object] | np.ndarray) -> set[frozenset[int]]:
    members: dict[object, set[int]] = {}
    for row, label in enumerate(labels):
        members.setdefault(label, set()).add(row)
    return {frozenset(rows) for rows in members.values()}


def grouped(embeddings: Embeddings, **options: int) -> set[frozenset[int]]:
    return partition(group_faces(embeddings, largest_distance=NEAR, **options))


def crowd(seed: int, counts: Sequence[int], *, spread: float) -> Embeddings:
    """As many faces of each person as told, about `spread` from one another."""
    random = np.random.default_rng(seed)
    return np.concatenate(
        [
            embedding_of(person)
            + random.standard_normal((count, SIZE)).astype(np.float32)
            * np.float32(spread / math.sqrt(2 * SIZE))
            for person, count in enumerate(counts)
        ]
    )


@given(seeds, st.integers(2, 40), st.floats(0.2, 1.0))
def test_groups_are_those_of_average_linkage_over_all_squared_distances(
    seed: int, count: int, spread: float
) -> None:
    # In few dimensions, so that groups of all sizes meet at all distances.
    faces = np.random.default_rng(seed).standard_normal((count, 3)).astype(np.float32)
    faces *= np.float32(spread)
    tree = linkage(pdist(faces, "sqeuclidean"), "average")
    assert grouped(faces) == partition(fcluster(tree, NEAR**2, "distance"))


@given(seeds, st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_every_person_is_one_group_in_whatever_order_the_faces_come(
    seed: int, counts: list[int]
) -> None:
    faces = crowd(seed, counts, spread=0.35)
    people = np.repeat(np.arange(len(counts)), counts)
    order = np.random.default_rng(seed).permutation(len(faces))
    assert grouped(faces) == partition(people)
    assert grouped(faces[order]) == partition(people[order])


@given(seeds, st.integers(1, 6), st.integers(1, 6))
def test_a_face_between_two_people_joins_one_and_does_not_make_them_one(
    seed: int, of_first: int, of_second: int
) -> None:
    """It is as alike to both as a match must be, which they are not to each other."""
    first, second = embedding_of(1), embedding_of(2)
    apart = second - first
    second = (first + apart / np.linalg.norm(apart) * (2 * NEAR - 0.02)).astype(np.float32)
    random = np.random.default_rng(seed)
    faces = np.concatenate(
        [
            first + 0.001 * random.standard_normal((of_first, SIZE)),
            second + 0.001 * random.standard_normal((of_second, SIZE)),
            [(first + second) / 2],
        ]
    ).astype(np.float32)
    ones, others = frozenset(range(of_first)), frozenset(range(of_first, of_first + of_second))
    between = len(faces) - 1
    assert grouped(faces) in ({ones | {between}, others}, {ones, others | {between}})


def test_a_chain_of_faces_each_near_the_next_is_not_one_person() -> None:
    chain = np.zeros((9, SIZE), np.float32)
    chain[:, 0] = 0.5 * np.arange(9)
    groups = grouped(chain)
    assert len(groups) > 3
    assert all(max(rows) - min(rows) <= 2 for rows in groups)


def test_the_number_of_a_group_is_its_smallest_row() -> None:
    faces = np.stack([embedding_of(person) for person in (5, 3, 5, 4, 3, 5)])
    assert group_faces(faces, largest_distance=NEAR).tolist() == [0, 1, 0, 3, 1, 0]


def test_the_same_face_any_number_of_times_is_one_group() -> None:
    """And quickly: one by one, 5,000 equal faces would take minutes."""
    assert len(grouped(np.tile(embedding_of(1), (5000, 1)))) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_no_faces_and_a_single_one_are_grouped_too(count: int) -> None:
    faces = np.zeros((count, SIZE), np.float32)
    assert group_faces(faces, largest_distance=NEAR).tolist() == list(range(count))


def test_groups_do_not_depend_on_how_many_distances_are_computed_at_once() -> None:
    faces = crowd(3, [7] * 12, spread=0.6)
    assert grouped(faces, block_bytes=1) == grouped(faces)


def test_the_limit_is_what_the_engine_calls_a_match() -> None:
    assert EMBEDDED.calibration.distance_of(85) == pytest.approx(NEAR)
