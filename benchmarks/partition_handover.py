"""Partitions change their owner under load: who handled what, when, and who handled it too."""

import asyncio
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from benchmarks.private_services import PrivateServices
from libs.common.background import BackgroundTasks
from libs.common.database.database import Database
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.protocol import Bus, Delivery, OutgoingMessage
from libs.common.messaging.bus.topology import Queue, findme_topology
from services.recognition.partitions.owner import LeaseTimes, PartitionOwner
from tests.support.polling import eventually

PARTITIONS = 8
#: A message for every partition this often; half of the interval is the handler's.
INTERVAL_SECONDS = 0.02
TIMES = LeaseTimes(lease_seconds=10, renew_seconds=2)
PATIENCE_SECONDS = 30.0
#: Load before, between and after the moves.
STEADY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Handling:
    """One message in one owner's hands; times in seconds of one clock."""

    partition: str
    message_id: str
    owner: str
    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class Handovers:
    """What became of the messages; a handover is over when the next owner has one in hand."""

    count: int
    messages: int
    duplicates: int
    overlaps: int
    longest_seconds: float


async def hand_over(services: PrivateServices, *, visits: int) -> Handovers:
    """Let a second owner come and go `visits` times; half of the partitions move each time."""
    topology = findme_topology()
    queues = topology.match[:PARTITIONS]
    handlings: list[Handling] = []
    async with (
        open_bus(services.amqp_url, topology) as publisher,
        _owner("resident", services, queues, handlings) as resident,
    ):
        await _owns(resident, PARTITIONS)
        load = asyncio.create_task(_publish_steadily(publisher, queues))
        await asyncio.sleep(STEADY_SECONDS)
        for visit in range(visits):
            async with _owner(f"visitor {visit}", services, queues, handlings) as visitor:
                await _owns(visitor, PARTITIONS // 2)
                await asyncio.sleep(STEADY_SECONDS)
            await _owns(resident, PARTITIONS)
            await asyncio.sleep(STEADY_SECONDS)
        load.cancel()
        published = await load
        await eventually(
            lambda: len({handling.message_id for handling in handlings}) == published,
            timeout=PATIENCE_SECONDS,
            message="messages were lost",
        )
    return evaluate(handlings)


def evaluate(handlings: list[Handling]) -> Handovers:
    """Count what must not be, and find the longest gap between two owners."""
    times = Counter(handling.message_id for handling in handlings)
    changes = [pair for pair in _neighbours(handlings) if pair[0].owner != pair[1].owner]
    return Handovers(
        count=len(changes),
        messages=len(times),
        duplicates=sum(count - 1 for count in times.values()),
        overlaps=sum(after.started < before.ended for before, after in _neighbours(handlings)),
        longest_seconds=max((after.started - before.ended for before, after in changes), default=0),
    )


def _neighbours(handlings: list[Handling]) -> Iterator[tuple[Handling, Handling]]:
    """Each handling and the next one of its partition."""
    by_partition: defaultdict[str, list[Handling]] = defaultdict(list)
    for handling in sorted(handlings, key=lambda handling: handling.started):
        by_partition[handling.partition].append(handling)
    for of_partition in by_partition.values():
        yield from itertools.pairwise(of_partition)


@asynccontextmanager
async def _owner(
    name: str,
    services: PrivateServices,
    queues: tuple[Queue, ...],
    handlings: list[Handling],
) -> AsyncIterator[PartitionOwner]:
    """A replica's owner of partitions, with connections of its own."""

    async def handle(delivery: Delivery) -> None:
        started = time.perf_counter()
        await asyncio.sleep(INTERVAL_SECONDS / 2)
        handlings.append(
            Handling(delivery.queue, delivery.message_id, name, started, time.perf_counter())
        )

    async with (
        Database.open(services.settings()) as database,
        open_bus(services.amqp_url, findme_topology()) as bus,
        BackgroundTasks() as background,
    ):
        owner = PartitionOwner(database, bus, queues, replica=name, times=TIMES)
        background.start("match partitions", partial(owner.run, handle))
        try:
            yield owner
        finally:
            await owner.stop()


async def _owns(owner: PartitionOwner, count: int) -> None:
    await eventually(
        lambda: len(owner.owned) == count,
        timeout=PATIENCE_SECONDS,
        message=lambda: f"an owner has {len(owner.owned)} partitions instead of {count}",
    )


async def _publish_steadily(bus: Bus, queues: tuple[Queue, ...]) -> int:
    """Publish until cancelled; return how many messages."""
    published = 0
    try:
        while True:
            pause = asyncio.create_task(asyncio.sleep(INTERVAL_SECONDS))
            messages = [
                OutgoingMessage(queue.bindings[0], b"{}", f"{published + number}")
                for number, queue in enumerate(queues)
            ]
            published += len(messages)
            await asyncio.shield(asyncio.gather(*map(bus.publish, messages)))
            await pause
    except asyncio.CancelledError:
        return published
