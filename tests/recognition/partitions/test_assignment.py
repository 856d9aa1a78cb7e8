import random
from collections import Counter
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.partitions.assignment import assign, weight

PARTITIONS = range(16)
names = st.text(st.characters(codec="ascii"), min_size=1, max_size=12)
fleets = st.sets(names, min_size=1, max_size=24)


def moved(before: dict[int, str], after: dict[int, str]) -> set[int]:
    return {partition for partition in PARTITIONS if before[partition] != after[partition]}


@given(fleets)
def test_every_partition_has_one_owner_and_shares_differ_by_one_at_most(fleet: set[str]) -> None:
    owners = assign(PARTITIONS, fleet)
    assert owners.keys() == set(PARTITIONS)
    shares = Counter(owners.values())
    assert shares.keys() <= fleet
    assert {shares[name] for name in fleet} <= {16 // len(fleet), -(-16 // len(fleet))}


@given(fleets, st.randoms(use_true_random=False))
def test_the_order_in_which_replicas_are_named_does_not_matter(
    fleet: set[str], chosen: random.Random
) -> None:
    shuffled = list(fleet)
    chosen.shuffle(shuffled)
    assert assign(PARTITIONS, [*shuffled, shuffled[0]]) == assign(PARTITIONS, fleet)


@given(fleets, names)
def test_a_replica_that_goes_loses_all_and_one_that_comes_gets_its_share(
    fleet: set[str], newcomer: str
) -> None:
    before, after = assign(PARTITIONS, fleet - {newcomer}), assign(PARTITIONS, fleet | {newcomer})
    share = sum(owner == newcomer for owner in after.values())
    assert share >= 16 // len(fleet | {newcomer})
    if before:
        assert len(moved(before, after)) >= share


def fleet_of(size: int, chosen: random.Random) -> list[str]:
    return [f"host-{chosen.getrandbits(64):x}:1" for _ in range(size)]


def moves_of_newcomers(size: int) -> tuple[float, int, float]:
    """(mean moves, most moves, mean share) of a newcomer to 200 fleets of the size."""
    chosen = random.Random(size)
    moves, shares = [], []
    for _ in range(200):
        *fleet, newcomer = fleet_of(size + 1, chosen)
        before, after = assign(PARTITIONS, fleet), assign(PARTITIONS, [*fleet, newcomer])
        moves.append(len(moved(before, after)))
        shares.append(sum(owner == newcomer for owner in after.values()))
    return mean(moves), max(moves), mean(shares)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 12, 16])
def test_a_replica_that_comes_or_goes_moves_little_more_than_its_share(size: int) -> None:
    average, worst, share = moves_of_newcomers(size)
    assert average <= share + 2.5
    assert worst <= 9


def test_without_replicas_nothing_is_assigned() -> None:
    assert assign(PARTITIONS, []) == {}


def test_weights_are_the_same_in_every_process_and_release() -> None:
    assert weight(0, "replica") == 7155960107448036720
    assert "".join(assign(PARTITIONS, "abc")[n] for n in PARTITIONS) == "abcbcabbcbaacabc"
