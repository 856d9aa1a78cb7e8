import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tests.recognition.partition_world import PARTITIONS, Fleet, running_fleet
from tests.support.own_process import own_process
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.postgres import Postgres

HANDLED = re.compile(r"\d+-\d+")


@pytest.fixture
async def fleet(database_url: str, amqp_url: str) -> AsyncIterator[Fleet]:
    async with running_fleet(database_url, amqp_url) as fleet:
        yield fleet


def replica_process(
    fleet: Fleet, name: str
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    return own_process(
        sys.executable,
        "-m",
        "tests.recognition.partition_replica",
        fleet.database_url,
        fleet.amqp_url,
        name,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )


async def wait_for_owners(fleet: Fleet, wanted: dict[str | None, int]) -> None:
    async def owned() -> bool:
        return await fleet.owners() == wanted

    await eventually(owned)


async def test_a_killed_replicas_partitions_are_taken_over_when_its_lease_ends(
    fleet: Fleet,
) -> None:
    async with replica_process(fleet, "killed") as process:
        await wait_for_owners(fleet, {"killed": 16})
        await fleet.start("heir")
        await wait_for_owners(fleet, {"killed": 8, "heir": 8})
        process.kill()
        for partition in PARTITIONS:
            await fleet.publish(partition)
        await wait_for_owners(fleet, {"heir": 16})
        await eventually(fleet.is_all_handled)
    fleet.assert_nothing_lost_doubled_or_reordered()


async def test_a_frozen_replica_is_replaced_and_handles_nothing_when_it_wakes(
    fleet: Fleet,
) -> None:
    async with replica_process(fleet, "frozen") as process:
        for partition in PARTITIONS:
            await fleet.publish(partition)
        first = {await next_handled(process) for _ in PARTITIONS}
        assert first == {f"{partition}-0" for partition in PARTITIONS}
        os.kill(process.pid, signal.SIGSTOP)
        # The broker goes on pushing to the frozen consumer: on waking, these are at its hand.
        for partition in PARTITIONS:
            await fleet.publish(partition)
        await fleet.start("heir")
        await wait_for_owners(fleet, {"heir": 16})
        before = await fleet.epochs()
        # It would soon be an owner again, and rightly handle what the heir has not got yet.
        async with announcing_held_up(fleet, "frozen"):
            os.kill(process.pid, signal.SIGCONT)
            await eventually(lambda: all(fleet.ledger.handled[n][-1:] == [1] for n in PARTITIONS))
        # Of what it had handled an ack may not have been out yet: that comes again.
        assert all(fleet.ledger.handled[n] in ([1], [0, 1]) for n in PARTITIONS)
        # It is one of two replicas again, by claims of its own.
        await wait_for_owners(fleet, {"frozen": 8, "heir": 8})
        after = await fleet.epochs(owner="frozen")
        assert all(epoch > before[partition] for partition, epoch in after.items())
        process.terminate()
        rest, _ = await process.communicate()
    assert not [line for line in rest.decode().splitlines() if HANDLED.fullmatch(line)]
    assert fleet.ledger.overlaps == []


@asynccontextmanager
async def announcing_held_up(fleet: Fleet, replica: str) -> AsyncIterator[None]:
    """The replica cannot say that it lives, so that no partition is given to it."""
    async with fleet.database.unit_of_work() as unit:
        await unit.connection.exec_driver_sql(
            f"SELECT FROM recognition_replicas WHERE replica_id = '{replica}' FOR UPDATE"
        )
        yield


async def next_handled(process: asyncio.subprocess.Process) -> str:
    """The next message of which the process says that it was handled; it prints logs as well."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while line := (await process.stdout.readline()).decode().strip():
            if HANDLED.fullmatch(line):
                return line
    raise AssertionError("the replica ended")


async def test_without_the_database_it_handles_until_the_lease_ends_and_later_recovers(
    fleet: Fleet, postgres_faults: Postgres
) -> None:
    owner = await fleet.start("a")
    await eventually(fleet.is_shared_out)
    await asyncio.to_thread(postgres_faults.stop)
    for partition in owner.owned:
        await fleet.publish(partition)
    await eventually(fleet.is_all_handled)
    await eventually(lambda: not owner.owned)
    handled = sum(map(len, fleet.ledger.handled.values()))
    for partition in PARTITIONS:
        await fleet.publish(partition)
    await asyncio.to_thread(postgres_faults.start)
    await eventually(fleet.is_all_handled)
    assert handled <= len(PARTITIONS)
    await wait_for_owners(fleet, {"a": 16})
    fleet.assert_nothing_lost_doubled_or_reordered()


async def test_a_handler_that_outlasts_the_lease_is_cut_short_and_its_message_comes_again(
    fleet: Fleet, postgres_faults: Postgres
) -> None:
    owner = await fleet.start("a")
    await eventually(fleet.is_shared_out)
    fleet.ledger.seconds = 3600
    await fleet.publish(5)
    await eventually(lambda: fleet.ledger.in_hand == {5})
    await asyncio.to_thread(postgres_faults.stop)
    await eventually(lambda: not owner.owned)
    assert fleet.ledger.in_hand == set()
    fleet.ledger.seconds = 0
    await asyncio.to_thread(postgres_faults.start)
    await eventually(fleet.is_all_handled)
    fleet.assert_nothing_lost_doubled_or_reordered()


async def test_a_partition_taken_by_another_is_let_go_of_at_once(fleet: Fleet) -> None:
    owner = await fleet.start("a")
    await eventually(fleet.is_shared_out)
    async with fleet.database.unit_of_work() as unit:
        await unit.connection.exec_driver_sql(
            "UPDATE match_partitions SET owner = 'thief', epoch = epoch + 1,"
            " lease_until = now() + '1 min' WHERE partition = 3"
        )
    await eventually(lambda: owner.owned == set(PARTITIONS) - {3})
    assert await fleet.owners() == {"a": 15, "thief": 1}
