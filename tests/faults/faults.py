"""What goes wrong in operation, one thing at a time every few seconds, in a seeded order."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from libs.common.database.sqlstates import is_away
from tests.faults.processes import Service
from tests.faults.proxy import StoreProxy
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ

#: Longer than the lease of a match partition.
FREEZE_SECONDS = 12.0
STORE_OUTAGE_SECONDS = 3.0
#: RabbitMQ 3.10 loses a quorum queue when it is killed within half a second of making it.
SETTLE_SECONDS = 2.0

Strike = Callable[["Place"], Awaitable[bool]]


@dataclass
class Place:
    """What can be hit."""

    services: Sequence[Service]
    ingest: Service
    replicas: Sequence[Service]
    broker: RabbitMQ
    postgres: Postgres
    store: StoreProxy
    #: Finds the replica that owns the most match partitions.
    owner: Callable[[], Awaitable[Service]]
    rng: random.Random
    struck: Counter[str] = field(default_factory=Counter)


async def kill_replica(place: Place) -> bool:
    """SIGKILL of a recognition replica, with its workers."""
    return await _kill(place.rng.choice(place.replicas))


async def kill_ingest(place: Place) -> bool:
    """SIGKILL of ingest, in the middle of uploads; clients send again."""
    return await _kill(place.ingest)


async def kill_relay_leader(place: Place) -> bool:
    """SIGKILL of the process that publishes the outbox: the last to say that it leads."""
    leader = max(place.services, key=lambda service: service.last_logged("relay_leads"))
    return await _kill(leader)


async def freeze_owner(place: Place) -> bool:
    """SIGSTOP of an owner of partitions for longer than its lease; it wakes and writes on."""
    try:
        owner = await place.owner()
    except Exception as error:
        if is_away(error):
            return False  # another fault has the database
        raise
    if owner.in_hands.locked():
        return False
    async with owner.in_hands:
        owner.freeze()
        try:
            await asyncio.sleep(FREEZE_SECONDS)
        finally:
            owner.thaw()
    return True


async def kill_broker(place: Place) -> bool:
    """SIGKILL of RabbitMQ, which starts again on its data."""
    await asyncio.to_thread(place.broker.kill)
    await asyncio.to_thread(place.broker.start)
    return True


async def restart_postgres(place: Place) -> bool:
    """A restart of PostgreSQL as for an upgrade: clients are thrown out."""
    await asyncio.to_thread(place.postgres.stop)
    await asyncio.to_thread(place.postgres.start)
    return True


async def kill_postgres(place: Place) -> bool:
    """SIGKILL of PostgreSQL, which recovers all that was committed."""
    await asyncio.to_thread(place.postgres.kill)
    await asyncio.to_thread(place.postgres.start)
    return True


async def fail_store(place: Place) -> bool:
    """The object store answers 500 for a while."""
    place.store.fail()
    await asyncio.sleep(STORE_OUTAGE_SECONDS)
    place.store.heal()
    return True


async def hang_store(place: Place) -> bool:
    """The object store takes connections and answers nothing for a while."""
    place.store.hang()
    await asyncio.sleep(STORE_OUTAGE_SECONDS)
    place.store.heal()
    return True


#: Faults of one group do not overlap: they hit the same thing.
GROUPS: tuple[tuple[Strike, ...], ...] = (
    (kill_replica,),
    (kill_ingest,),
    (kill_relay_leader,),
    (freeze_owner,),
    (kill_broker,),
    (restart_postgres, kill_postgres),
    (fail_store, hang_store),
)
ALL_FAULTS = tuple(strike for group in GROUPS for strike in group)


class Storm:
    """One fault every `every_seconds`; each kind once before any comes again."""

    def __init__(self, place: Place, *, every_seconds: float) -> None:
        self._place = place
        self._every_seconds = every_seconds
        self._waiting: list[Strike] = []
        self._running: dict[int, asyncio.Task[None]] = {}

    async def rage(self, seconds: float) -> None:
        """Return once the time is over and everything that was hit is up again."""
        end = time.monotonic() + seconds
        await asyncio.sleep(SETTLE_SECONDS)
        while time.monotonic() < end or len(self._place.struck) < len(ALL_FAULTS):
            self._strike_next()
            await asyncio.sleep(self._every_seconds)
        await asyncio.gather(*self._running.values())

    def _strike_next(self) -> None:
        if not self._waiting:
            self._waiting = list(ALL_FAULTS)
            self._place.rng.shuffle(self._waiting)
        for strike in self._waiting:
            group = _group_of(strike)
            before = self._running.get(group)
            if before is None or before.done():
                if before is not None:
                    before.result()  # raises what kept a fault from striking
                self._waiting.remove(strike)
                self._running[group] = asyncio.create_task(self._run(strike))
                return

    async def _run(self, strike: Strike) -> None:
        if await strike(self._place):
            self._place.struck[strike.__name__] += 1
        else:
            self._waiting.append(strike)


def _group_of(strike: Strike) -> int:
    return next(number for number, group in enumerate(GROUPS) if strike in group)


async def _kill(service: Service) -> bool:
    """False when another fault has the service in its hands: a frozen one is to wake up."""
    if service.in_hands.locked():
        return False
    async with service.in_hands:
        await service.kill()
    return True
