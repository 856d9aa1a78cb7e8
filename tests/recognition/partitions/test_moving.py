import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from libs.common import tasks
from services.recognition.partitions.owner import LeaseTimes
from tests.recognition.partition_world import PARTITIONS, Fleet, running_fleet
from tests.support.polling import eventually

#: So long that only a handover, never a lease's end, can explain that a partition moved.
PATIENT = LeaseTimes(lease_seconds=600.0, renew_seconds=200.0)


@pytest.fixture
async def fleet(database_url: str, amqp_url: str) -> AsyncIterator[Fleet]:
    async with running_fleet(database_url, amqp_url) as fleet:
        yield fleet


@asynccontextmanager
async def under_load(fleet: Fleet, *, every_seconds: float = 0.002) -> AsyncIterator[None]:
    """Publish to all partitions in turn; look all the while whether any is owned twice."""
    doubles: set[int] = set()

    async def publish() -> None:
        while True:
            for partition in PARTITIONS:
                await fleet.publish(partition)
                doubles.update(fleet.doubly_owned())
                await asyncio.sleep(every_seconds)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        await tasks.end(task)
    assert doubles == set()


def moved(kind: str) -> float:
    return REGISTRY.get_sample_value("findme_partition_moves_total", {"kind": kind}) or 0.0


async def test_from_one_to_three_to_two_replicas_under_load_nothing_is_lost_doubled_or_reordered(
    fleet: Fleet,
) -> None:
    fleet.ledger.seconds = 0.004
    await fleet.start("a", times=PATIENT)
    async with under_load(fleet):
        await eventually(fleet.is_shared_out)
        await fleet.start("b", times=PATIENT)
        await fleet.start("c", times=PATIENT)
        await eventually(fleet.is_shared_out)
        seen = sum(fleet.ledger.by["c"].values())
        await eventually(lambda: sum(fleet.ledger.by["c"].values()) > seen + 20)
        await fleet.stop("a")
        await eventually(fleet.is_shared_out)
    await eventually(fleet.is_all_handled)
    fleet.assert_nothing_lost_doubled_or_reordered()


async def test_a_replica_that_stops_gives_everything_back_at_once(fleet: Fleet) -> None:
    await fleet.start("a", times=PATIENT)
    await fleet.start("b", times=PATIENT)
    await eventually(fleet.is_shared_out)
    given_back = moved("given_back")
    await fleet.stop("b")
    assert moved("given_back") == given_back + 8
    assert (await fleet.owners())["b"] == 0
    await eventually(fleet.is_shared_out)
    assert await fleet.owners() == {"a": 16}


async def test_the_last_replica_leaves_every_partition_free(fleet: Fleet) -> None:
    await fleet.start("a", times=PATIENT)
    await eventually(fleet.is_shared_out)
    await fleet.stop("a")
    assert await fleet.owners() == {None: 16}
    before = await fleet.epochs()
    await fleet.start("b", times=PATIENT)
    await eventually(fleet.is_shared_out)
    assert await fleet.epochs() == {partition: epoch + 1 for partition, epoch in before.items()}


async def test_a_process_that_was_killed_and_starts_again_takes_its_own_leases_back_at_once(
    fleet: Fleet,
) -> None:
    await fleet.start("standalone", times=PATIENT)
    await eventually(fleet.is_shared_out)
    await fleet.stop("standalone")
    # As kill -9 leaves them: leases that last for another minute, of a replica seen just now.
    async with fleet.database.unit_of_work() as unit:
        await unit.connection.exec_driver_sql(
            "UPDATE match_partitions SET owner = 'standalone', lease_until = now() + '1 min'"
        )
        await unit.connection.exec_driver_sql(
            "INSERT INTO recognition_replicas (replica_id) VALUES ('standalone')"
        )
    await fleet.start("standalone", times=PATIENT)
    await eventually(fleet.is_shared_out)


async def test_a_message_in_hand_is_finished_before_its_partition_moves(fleet: Fleet) -> None:
    await fleet.start("a", times=PATIENT)
    await eventually(fleet.is_shared_out)
    fleet.ledger.seconds = 0.5
    for partition in PARTITIONS:
        await fleet.publish(partition)
    await eventually(lambda: len(fleet.ledger.in_hand) == 16)
    await fleet.start("b", times=PATIENT)
    await eventually(fleet.is_shared_out)
    await eventually(fleet.is_all_handled)
    assert sum(fleet.ledger.by["a"].values()) == 16
    fleet.assert_nothing_lost_doubled_or_reordered()


async def test_a_stop_out_of_patience_gives_the_messages_in_hand_to_the_others(
    fleet: Fleet,
) -> None:
    await fleet.start("a", times=PATIENT)
    await eventually(fleet.is_shared_out)
    fleet.ledger.seconds = 3600
    for partition in PARTITIONS:
        await fleet.publish(partition)
    await eventually(lambda: len(fleet.ledger.in_hand) == 16)
    await fleet.stop("a", patience_seconds=0.5)
    assert await fleet.owners() == {None: 16}
    fleet.ledger.seconds = 0
    await fleet.start("b", times=PATIENT)
    await eventually(fleet.is_all_handled)
    fleet.assert_nothing_lost_doubled_or_reordered()
