"""Replicas that own match partitions, each with connections of its own, and what they did."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from sqlalchemy import text

from libs.common.background import BackgroundTasks
from libs.common.database.database import Database
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.protocol import Bus, Delivery, OutgoingMessage
from libs.common.messaging.bus.rabbitmq import declare
from libs.common.messaging.bus.subscriptions import stop_all
from libs.common.messaging.bus.topology import Topology, findme_topology
from libs.common.settings import CommonSettings
from services.recognition.partitions.owner import LeaseTimes, PartitionOwner
from tests.support.settings import settings_of

PARTITIONS = range(16)
#: Short, so that a test can outwait them; in the proportion of the defaults.
TIMES = LeaseTimes(lease_seconds=2.0, renew_seconds=0.4)


def match_topology() -> Topology:
    """The real partitions; of the other queues only one each, as declaring takes time."""
    whole = findme_topology(in_process_delays_seconds=(0.05, 0.1))
    return replace(whole, analyze=whole.analyze[:1])


@dataclass
class Ledger:
    """What all replicas handled, in order; notices two handlers at once on a partition."""

    handled: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    by: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    overlaps: list[int] = field(default_factory=list)
    seconds: float = 0.0
    in_hand: set[int] = field(default_factory=set)

    async def handle(self, replica: str, delivery: Delivery) -> None:
        partition = int(delivery.queue.rpartition(".")[2])
        if partition in self.in_hand:
            self.overlaps.append(partition)
        self.in_hand.add(partition)
        try:
            # What the work costs, so that handovers meet messages in hand.
            await asyncio.sleep(self.seconds)
        finally:
            self.in_hand.discard(partition)
        self.handled[partition].append(int(delivery.body))
        self.by[replica][partition] += 1


@dataclass
class Fleet:
    """Starts and stops replicas, publishes, and looks at the database."""

    database: Database
    database_url: str
    amqp_url: str
    topology: Topology
    publisher: Bus
    ledger: Ledger = field(default_factory=Ledger)
    replicas: dict[str, PartitionOwner] = field(default_factory=dict)
    published: Counter[int] = field(default_factory=Counter)
    _lives: dict[str, AsyncExitStack] = field(default_factory=dict)

    async def start(
        self,
        name: str,
        *,
        times: LeaseTimes = TIMES,
        on_handled: Callable[[Delivery], None] = lambda _: None,
    ) -> PartitionOwner:
        """A further replica, with its own connections to database and broker."""
        life = AsyncExitStack()
        database = await life.enter_async_context(open_database(self.database_url, name))
        bus = await life.enter_async_context(open_bus(self.amqp_url, self.topology))

        async def handle(delivery: Delivery) -> None:
            await self.ledger.handle(name, delivery)
            on_handled(delivery)

        owner = PartitionOwner(database, bus, self.topology.match, replica=name, times=times)
        background = await life.enter_async_context(BackgroundTasks(first_pause_seconds=0.05))
        background.start("match partitions", partial(owner.run, handle))
        self.replicas[name], self._lives[name] = owner, life
        return owner

    async def stop(self, name: str, *, patience_seconds: float = 10) -> None:
        """What SIGTERM does."""
        await stop_all([self.replicas.pop(name)], deadline_seconds=patience_seconds)
        await self._lives.pop(name).aclose()

    async def stop_all(self) -> None:
        for name in list(self.replicas):
            await self.stop(name)

    async def publish(self, partition: int) -> None:
        """The next message of a partition: its number."""
        number = self.published[partition]
        self.published[partition] += 1
        await self.publisher.publish(
            OutgoingMessage(
                f"photo.analyzed.{partition:02d}", str(number).encode(), f"{partition}-{number}"
            )
        )

    def shares(self) -> list[int]:
        """How many partitions each replica consumes, sorted."""
        return sorted(len(owner.owned) for owner in self.replicas.values())

    def is_shared_out(self) -> bool:
        """Whether every partition is consumed by one replica, in fair shares."""
        share, remainder = divmod(len(PARTITIONS), len(self.replicas))
        wanted = [share] * (len(self.replicas) - remainder) + [share + 1] * remainder
        return self.shares() == wanted and not self.doubly_owned()

    def doubly_owned(self) -> set[int]:
        counts = Counter(p for owner in self.replicas.values() for p in owner.owned)
        return {partition for partition, count in counts.items() if count > 1}

    def is_all_handled(self) -> bool:
        return all(
            len(self.ledger.handled[partition]) >= count
            for partition, count in self.published.items()
        )

    def assert_nothing_lost_doubled_or_reordered(self) -> None:
        for partition, count in self.published.items():
            assert self.ledger.handled[partition] == list(range(count)), partition
        assert self.ledger.overlaps == []

    async def epochs(self, *, owner: str | None = None) -> dict[int, int]:
        """The epoch of each partition, or of those of one owner."""
        async with self.database.read() as connection:
            rows = await connection.execute(
                text(
                    "SELECT partition, epoch FROM match_partitions"
                    " WHERE CAST(:owner AS text) IS NULL OR owner = :owner"
                ),
                {"owner": owner},
            )
            return {row.partition: row.epoch for row in rows}

    async def owners(self) -> Counter[str | None]:
        """How many rows each owner has in the database."""
        async with self.database.read() as connection:
            rows = await connection.execute(text("SELECT owner FROM match_partitions"))
            return Counter(row.owner for row in rows)


@asynccontextmanager
async def running_fleet(database_url: str, amqp_url: str) -> AsyncIterator[Fleet]:
    topology = match_topology()
    await declare(amqp_url, topology)
    async with (
        open_database(database_url, "test") as database,
        open_bus(amqp_url, topology) as publisher,
    ):
        fleet = Fleet(database, database_url, amqp_url, topology, publisher)
        try:
            yield fleet
        finally:
            await fleet.stop_all()


def open_database(database_url: str, name: str) -> AbstractAsyncContextManager[Database]:
    settings = settings_of(CommonSettings, database_url, db_pool_size=2, db_max_overflow=2)
    return Database.open(settings, name=name)
