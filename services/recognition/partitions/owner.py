"""Carries out what `assignment.py` decides: claims, renews and gives back match partitions."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import tasks
from libs.common.background import BackgroundTaskDown
from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.messaging.bus.protocol import Batches, Bus, Handler, Subscription
from libs.common.messaging.bus.topology import Queue
from services.recognition import metrics
from services.recognition.partitions import repository as leases
from services.recognition.partitions.assignment import plan_moves, seconds_until_next_look
from services.recognition.partitions.holding import Holding
from services.recognition.partitions.repository import Claimed

log = structlog.get_logger(__name__)

T = TypeVar("T")
Subscribe = Callable[[Queue], Awaitable[Subscription]]

RECONNECT_SECONDS = 0.5
#: How long a cancelled stop may take to free the rows; without it their leases must run out.
LAST_WORD_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How long a lease lasts and how often it is renewed, in seconds."""

    lease_seconds: float
    renew_seconds: float

    @property
    def stop_seconds(self) -> float:
        """Consuming stops this long before the lease ends, for the message in hand."""
        return self.lease_seconds / 10

    @property
    def statement_seconds(self) -> float:
        """A database silent for longer is connected to anew, while the lease still lasts."""
        return self.lease_seconds / 3

    @property
    def idle_seconds(self) -> float:
        """Behind a hole, the server ends a session that has been silent for longer."""
        return self.lease_seconds + self.renew_seconds


class PartitionOwner:
    """An `Intake` of this replica's share of the queues, whatever that is at the time.

    One task does all SQL on one connection; each partition has a task of its own, and a timer
    ends them all before the lease does. So neither a hanging database nor a slow handler keeps
    a partition longer than other replicas believe.

    Correctness does not rest on any of this (see the package): a process that was frozen past
    its lease may still finish a statement when it wakes.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        queues: Sequence[Queue],
        *,
        replica: str,
        times: LeaseTimes,
        engine: str | None = None,
    ) -> None:
        """`engine` is what the replica tells the others that it works with."""
        self._database = database
        self._bus = bus
        self._queues = queues
        self._replica = replica
        self._times = times
        self._engine = engine
        self._holdings: dict[int, Holding] = {}
        #: On this process's monotonic clock, and earlier than by the database's.
        self._lease_ends = 0.0
        self._lease_timer: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._is_leaving = False
        self._has_withdrawn = False
        self._has_begun = False
        #: Not while the background task waits to begin `run` again.
        self._is_running = False
        self._has_left = asyncio.Event()

    @property
    def owned(self) -> frozenset[int]:
        """The partitions consumed now, those being handed over included."""
        return frozenset(
            partition for partition, holding in self._holdings.items() if not holding.has_ended
        )

    async def run(self, handler: Handler, batches: Batches | None = None) -> NoReturn:
        """Claim, renew and hand over until cancelled; the first claims are made at once.

        The messages of owned partitions go to `handler`, or to that of `batches`.

        The work of a background task, which may begin it again: what is held stays held, as long
        as the leases last.
        """
        self._is_running = self._has_begun = True
        try:
            await self._own(
                partial(
                    self._bus.subscribe,
                    handler=partial(self._handle, handler),
                    batches=batches
                    and replace(batches, handle=partial(self._handle, batches.handle)),
                )
            )
        finally:
            self._is_running = False
            self._note_end()
        while True:
            await asyncio.Event().wait()

    async def _own(self, subscribe: Subscribe) -> None:
        while not self._has_left.is_set():
            try:
                await self._stay_connected(subscribe)
            except DATABASE_ERRORS as error:
                log.warning("partitions_database_lost", error=error)
            else:
                self._has_left.set()
            if self._is_leaving and not self.owned:
                self._has_left.set()  # the rows free themselves as their leases end
            self._wake.clear()
            if not self._has_left.is_set():
                await tasks.happens(self._wake, within_seconds=RECONNECT_SECONDS)

    async def stop(self) -> None:
        """See `Intake.stop`: every partition is freed as soon as it is idle."""
        if not self._has_begun:
            return
        self._is_leaving = True
        for holding in self._holdings.values():
            self._give_back(holding, to=None)
        self._note_end()
        try:
            await self._has_left.wait()
        except asyncio.CancelledError:
            for holding in self._holdings.values():
                holding.end(patience_seconds=0)
            await tasks.happens(self._has_left, within_seconds=LAST_WORD_SECONDS)
            self._has_left.set()
            raise
        finally:
            if self._lease_timer is not None:
                self._lease_timer.cancel()

    async def check(self) -> None:
        """Readiness. Raises BackgroundTaskDown, naming the partitions that are not consumed."""
        down = [
            f"match partition {holding.partition} ({holding.failure})"
            for holding in self._holdings.values()
            if holding.failure is not None and not holding.is_ending
        ]
        if down:
            raise BackgroundTaskDown(f"not consumed: {', '.join(down)}")

    def _note_end(self) -> None:
        """Look again, as something has ended; without `run`, the rows are free as leases end."""
        self._wake.set()
        if self._is_leaving and not self._is_running and not self.owned:
            self._has_left.set()

    async def _stay_connected(self, subscribe: Subscribe) -> None:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._times.statement_seconds):
                session = await stack.enter_async_context(
                    self._database.kept_session(idle_seconds=self._times.idle_seconds)
                )
                connection = session.connection
                await session.listen(leases.NOTIFY_CHANNEL, self._wake.set)
                await leases.add_missing(connection, range(len(self._queues)))
            while True:
                self._wake.clear()
                async with asyncio.timeout(self._times.statement_seconds):
                    seconds = await self._look(connection, subscribe)
                if self._has_withdrawn and not self._holdings:
                    return
                await tasks.happens(self._wake, within_seconds=seconds)

    async def _look(self, connection: AsyncConnection, subscribe: Subscribe) -> float:
        """Renew, release, and make the moves that are due; return when to look again."""
        changed = await self._renew(connection)
        changed |= await self._release(connection)
        if changed:
            await leases.notify(connection)
        if self._is_leaving:
            return self._times.renew_seconds
        live = await leases.live_replicas(connection, lease_seconds=self._times.lease_seconds)
        rows = await leases.read_all(connection)
        rows = [row for row in rows if row.partition < len(self._queues)]
        moves = plan_moves(rows, live, me=self._replica, held=self._holdings)
        for partition in moves.give_back:
            self._give_back(self._holdings[partition], to=moves.targets.get(partition))
        if moves.claim:
            taken = await leases.claim(
                connection,
                self._replica,
                moves.claim,
                lease_seconds=self._times.lease_seconds,
            )
            for claimed in taken:
                self._take(claimed, subscribe)
            if taken:
                # Alone, it has all of them from its start on: nobody waits to read that.
                log.log(
                    logging.INFO if len(live) > 1 else logging.DEBUG,
                    "partitions_claimed",
                    partitions=sorted(claimed.partition for claimed in taken),
                    replica=self._replica,
                )
        return seconds_until_next_look(
            rows, me=self._replica, renew_seconds=self._times.renew_seconds
        )

    async def _renew(self, connection: AsyncConnection) -> bool:
        """Prolong what is held; return whether the others have to hear that we come or go."""
        # Taken before the statement, so that the lease ends here before it does there.
        sent_at = time.monotonic()
        lease_seconds = self._times.lease_seconds
        if self._is_leaving:
            await leases.withdraw(connection, self._replica)
            self._has_withdrawn = True
            is_news = False  # freeing the partitions is
        else:
            is_news = await leases.announce(
                connection, self._replica, lease_seconds=lease_seconds, engine=self._engine
            )
        epochs = {
            holding.partition: holding.epoch
            for holding in self._holdings.values()
            if not holding.is_lost
        }
        kept = await leases.renew(connection, self._replica, epochs, lease_seconds=lease_seconds)
        for partition in epochs.keys() - kept:
            self._lose(self._holdings[partition], why="taken by another replica")
        self._set_lease(sent_at + lease_seconds)
        return is_news

    async def _release(self, connection: AsyncConnection) -> bool:
        """Free the rows of partitions that are not consumed any more; return whether any."""
        ended = [holding for holding in self._holdings.values() if holding.has_ended]
        if not ended:
            return False
        await leases.release(
            connection, self._replica, {holding.partition: holding.epoch for holding in ended}
        )
        for holding in ended:
            del self._holdings[holding.partition]
        return True

    def _take(self, claimed: Claimed, subscribe: Subscribe) -> None:
        is_takeover = claimed.previous not in (None, self._replica)
        metrics.PARTITION_MOVES.labels("taken_over" if is_takeover else "claimed").inc()
        metrics.PARTITIONS_OWNED.inc()
        # One that was free is nothing to read: a start takes sixteen.
        log.log(
            logging.INFO if is_takeover else logging.DEBUG,
            "partition_taken_over" if is_takeover else "partition_claimed",
            partition=claimed.partition,
            epoch=claimed.epoch,
            previous=claimed.previous,
            replica=self._replica,
        )
        claimed_at = time.monotonic()

        def on_start() -> None:
            if claimed.seconds_free is not None:
                metrics.HANDOVER_SECONDS.observe(
                    claimed.seconds_free + time.monotonic() - claimed_at
                )

        def on_end() -> None:
            # Not when its row is freed: a database that is away must not keep it in the gauge.
            metrics.PARTITIONS_OWNED.dec()
            self._note_end()

        holding = Holding(
            claimed.partition,
            claimed.epoch,
            partial(subscribe, self._queues[claimed.partition]),
            on_start=on_start,
            on_end=on_end,
        )
        self._holdings[claimed.partition] = holding
        if self._is_leaving:
            self._give_back(holding, to=None)

    def _give_back(self, holding: Holding, *, to: str | None) -> None:
        if holding.is_ending:
            return
        metrics.PARTITION_MOVES.labels("given_back").inc()
        log.log(
            logging.DEBUG if self._is_leaving else logging.INFO,
            "partition_given_back",
            partition=holding.partition,
            epoch=holding.epoch,
            replica=self._replica,
            to=to,
        )
        holding.end()

    def _lose(self, holding: Holding, *, why: str, patience_seconds: float = 0) -> None:
        holding.is_lost = True
        metrics.PARTITION_MOVES.labels("lost").inc()
        log.warning(
            "partition_lost",
            partition=holding.partition,
            epoch=holding.epoch,
            replica=self._replica,
            why=why,
        )
        holding.end(patience_seconds=patience_seconds)

    def _set_lease(self, ends: float) -> None:
        self._lease_ends = ends
        if self._lease_timer is not None:
            self._lease_timer.cancel()
        self._lease_timer = asyncio.get_running_loop().call_later(
            max(ends - self._times.stop_seconds - time.monotonic(), 0), self._expire
        )

    def _expire(self) -> None:
        """Nothing was renewed for a lease's length: stop before others may claim."""
        patience_seconds = self._lease_ends - time.monotonic()
        for holding in self._holdings.values():
            if not holding.is_lost:
                self._lose(
                    holding, why="the lease was not renewed", patience_seconds=patience_seconds
                )

    async def _handle(self, handler: Callable[[T], Awaitable[None]], messages: T) -> None:
        if time.monotonic() >= self._lease_ends:
            # A process that was frozen past its lease has just woken, with messages at hand.
            # The timer is due as well and ends this wait; the messages go back.
            await asyncio.Event().wait()
        await handler(messages)
