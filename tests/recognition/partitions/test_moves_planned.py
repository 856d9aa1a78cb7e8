from hypothesis import given
from hypothesis import strategies as st

from services.recognition.partitions.assignment import (
    PartitionRow,
    plan_moves,
    seconds_until_next_look,
)

PARTITIONS = range(16)
FLEET = ["a", "b", "c", "d"]
fleets = st.sets(st.sampled_from(FLEET), min_size=1)
rows = st.tuples(
    *(
        st.builds(
            PartitionRow,
            partition=st.just(partition),
            owner=st.none() | st.sampled_from(FLEET),
            epoch=st.integers(0, 9),
            seconds_left=st.floats(-5, 10),
        )
        for partition in PARTITIONS
    )
)


def row(partition: int, owner: str | None, seconds_left: float = 9.0) -> PartitionRow:
    return PartitionRow(partition, owner, 1, seconds_left)


def test_a_lone_replica_claims_all_that_is_free() -> None:
    moves = plan_moves([row(n, None) for n in PARTITIONS], {"a"}, me="a", held=())
    assert moves.claim == tuple(PARTITIONS)
    assert moves.give_back == ()


def test_what_another_replica_still_holds_is_waited_for() -> None:
    taken = [row(n, "b") for n in PARTITIONS]
    assert plan_moves(taken, {"a"}, me="a", held=()).claim == ()
    over = [row(n, "b", seconds_left=0) for n in PARTITIONS]
    assert plan_moves(over, {"a"}, me="a", held=()).claim == tuple(PARTITIONS)


def test_what_was_mine_in_an_earlier_life_is_mine_at_once() -> None:
    mine = [row(n, "a") for n in PARTITIONS]
    assert plan_moves(mine, {"a"}, me="a", held=()).claim == tuple(PARTITIONS)


def test_a_newcomers_share_is_given_back_and_nothing_else() -> None:
    mine = [row(n, "a") for n in PARTITIONS]
    moves = plan_moves(mine, {"a", "b"}, me="a", held=PARTITIONS)
    assert len(moves.give_back) == 8
    assert {moves.targets[partition] for partition in moves.give_back} == {"b"}


def test_a_replica_that_is_not_alive_gives_back_everything() -> None:
    mine = [row(n, "a") for n in PARTITIONS]
    moves = plan_moves(mine, {"b"}, me="a", held=(3, 4))
    assert moves.give_back == (3, 4)
    assert moves.claim == ()


@given(rows, fleets)
def test_no_two_replicas_with_the_same_view_want_the_same_partition(
    found: tuple[PartitionRow, ...], live: set[str]
) -> None:
    claims = [plan_moves(found, live, me=me, held=()).claim for me in live]
    wanted = [partition for claim in claims for partition in claim]
    assert len(wanted) == len(set(wanted))


@given(rows, fleets)
def test_after_the_leases_every_partition_is_wanted_by_somebody(
    found: tuple[PartitionRow, ...], live: set[str]
) -> None:
    over = [row(each.partition, each.owner, seconds_left=0) for each in found]
    wanted = {p for me in live for p in plan_moves(over, live, me=me, held=()).claim}
    assert wanted == set(PARTITIONS)


@given(rows, fleets, st.sets(st.sampled_from(PARTITIONS)))
def test_what_is_held_after_the_moves_is_within_the_share(
    found: tuple[PartitionRow, ...], live: set[str], held: set[int]
) -> None:
    for me in live:
        moves = plan_moves(found, live, me=me, held=held)
        assert not set(moves.claim) & held
        kept = held - set(moves.give_back) | set(moves.claim)
        assert all(moves.targets[partition] == me for partition in kept)


def test_the_next_look_is_when_anothers_lease_ends_if_that_is_before_the_renewal() -> None:
    found = [row(0, "a", 0.5), row(1, "b", 1.5), row(2, None, 0.0), row(3, "c", -1.0)]
    assert seconds_until_next_look(found, me="a", renew_seconds=2) == 1.5
    assert seconds_until_next_look(found, me="b", renew_seconds=2) == 0.5
    assert seconds_until_next_look(found[2:], me="b", renew_seconds=2) == 2
