"""Publishes the outbox: one leader at a time, woken by NOTIFY and by a poll."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

import structlog
from opentelemetry.trace import SpanKind
from sqlalchemy import text

from libs.common import tasks
from libs.common.database import outbox
from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.database.locks import AdvisoryLock
from libs.common.database.outbox import OutboxRow
from libs.common.messaging.bus.protocol import Bus, BusUnavailable, QueueFull
from libs.common.telemetry import metrics, tracing
from libs.common.telemetry.questions import Question

log = structlog.get_logger(__name__)

BATCH = 200
POLL_SECONDS = 1.0
FIRST_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 5.0
FIRST_HOLD_SECONDS = 0.25
MAX_SET_ASIDE_SECONDS = 300.0
#: Ids of refused rows in one line of the log.
ROWS_TOLD = 20
_TRY_TO_LEAD = text(f"SELECT pg_try_advisory_lock({AdvisoryLock.RELAY:d})")
#: A leader that PostgreSQL has not heard of for so long leads no more. It says something every
#: second, and stops by itself when it is not answered for three.
LEADER_IDLE_SECONDS = 10.0
_PASSING_ERRORS = (*DATABASE_ERRORS, BusUnavailable)


def next_backoff(backoff: float, *, lasted_seconds: float) -> float:
    """Return how many seconds to wait after an interruption, given the wait before the last try.

    One that has worked for longer than the longest wait begins anew: interruptions that are days
    apart do not add up.
    """
    if backoff == 0 or lasted_seconds > MAX_BACKOFF_SECONDS:
        return FIRST_BACKOFF_SECONDS
    return min(backoff * 2, MAX_BACKOFF_SECONDS)


class Relay:
    """Moves messages from the outbox to the bus, at least once and in the order of their ids.

    Every process may run one; an advisory lock lets one work while the others stand by.
    (Two at work would be no faster, and would reorder.)
    """

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._wake = asyncio.Event()
        self._held = HeldKeys()

    async def run(self) -> None:
        """Work until cancelled; a lost database or bus is waited for with backoff."""
        backoff = 0.0
        while True:
            begun = time.monotonic()
            try:
                await self._lead()
            except _PASSING_ERRORS as error:
                backoff = next_backoff(backoff, lasted_seconds=time.monotonic() - begun)
                log.warning("relay_interrupted", error=error, retry_in_seconds=backoff)
                await asyncio.sleep(backoff)

    async def _lead(self) -> NoReturn:
        async with self._database.kept_session(idle_seconds=LEADER_IDLE_SECONDS) as session:
            await session.listen(outbox.NOTIFY_CHANNEL, self._wake.set)
            while not await session.connection.scalar(_TRY_TO_LEAD):  # noqa: ASYNC110 - a lock has no event
                await asyncio.sleep(POLL_SECONDS)
            log.info("relay_leads")
            with metrics.OUTBOX_LEADING.track_inprogress():
                await session.while_it_lives(self._publish())
        raise AssertionError("publishing ends by an error only")

    async def _publish(self) -> NoReturn:
        while True:
            self._wake.clear()
            while await self._publish_batch() == BATCH:
                pass
            await tasks.happens(self._wake, within_seconds=POLL_SECONDS)

    async def _publish_batch(self) -> int:
        """Publish one batch; return its size."""
        async with self._database.engine.begin() as connection:
            rows = await outbox.take_batch(connection, BATCH, without=self._held.now())
            if not rows:
                return 0
            outcomes = await asyncio.gather(
                *(self._publish_row(row) for row in rows), return_exceptions=True
            )
            confirmed: list[int] = []
            taken: set[str] = set()
            full: Counter[str] = Counter()
            refused: defaultdict[str, list[int]] = defaultdict(list)
            unavailable: BusUnavailable | None = None
            for row, outcome in zip(rows, outcomes, strict=True):
                if outcome is None:
                    confirmed.append(row.id)
                    taken.add(row.message.routing_key)
                elif isinstance(outcome, QueueFull):
                    full[row.message.routing_key] += 1
                elif isinstance(outcome, BusUnavailable):
                    unavailable = outcome
                elif isinstance(outcome, Exception):
                    # Whatever it is, it is this row's own: the others must pass.
                    refused[f"{type(outcome).__name__}: {outcome}"].append(row.id)
                    await outbox.set_aside(connection, [row.id], _pause_seconds(row.attempts))
                else:
                    # Not ours: the relay's own end would have ended the gathering.
                    unavailable = BusUnavailable("the bus gave up a publish that was under way")
            if confirmed:
                await outbox.remove(connection, confirmed)
        metrics.OUTBOX_PUBLISHED.inc(len(confirmed))
        metrics.OUTBOX_REFUSED.inc(full.total())
        self._held.hold(full, taken=taken)
        for reason, ids in refused.items():
            metrics.OUTBOX_REFUSED.inc(len(ids))
            log.error(
                "outbox_messages_refused", reason=reason, count=len(ids), rows=ids[:ROWS_TOLD]
            )
        if unavailable is not None:
            raise unavailable
        return len(rows)

    async def _publish_row(self, row: OutboxRow) -> None:
        message = row.message
        if not tracing.is_on() or not message.headers:
            await self._bus.publish(message)
            return
        topic = message.routing_key.rpartition(".")[0]
        with tracing.continued(
            f"publish {topic}",
            message.headers,
            SpanKind.PRODUCER,
            routing_key=message.routing_key,
            message_id=message.message_id,
            waited_seconds=row.waited_seconds,
        ):
            headers = {**message.headers, **tracing.headers()}
            await self._bus.publish(replace(message, headers=headers))


class HeldKeys:
    """Routing keys whose queue had no room: their messages wait, in order, and hold up no other."""

    def __init__(self) -> None:
        #: When each is tried again, and after which pause.
        self._until: dict[str, tuple[float, float]] = {}

    def now(self) -> list[str]:
        """Return the keys that are not tried yet."""
        present = time.monotonic()
        return [key for key, (until, _) in self._until.items() if until > present]

    def hold(self, full: Collection[str], *, taken: Collection[str]) -> None:
        """Hold those that had no room; for longer each time, unless some of theirs were taken."""
        for key in taken:
            if key not in full:
                self._until.pop(key, None)
        for key in full:
            if key not in self._until:
                log.warning("outbox_queue_is_full", routing_key=key)
            pause = FIRST_HOLD_SECONDS
            if key in self._until and key not in taken:
                pause = min(2 * self._until[key][1], MAX_BACKOFF_SECONDS)
            self._until[key] = (time.monotonic() + pause, pause)


def _pause_seconds(attempts: int) -> float:
    """Return how long a row is set aside that was refused so often before."""
    # The exponent is bounded, too: some days of it and no float holds the power any more.
    return min(2.0 ** min(attempts, 30), MAX_SET_ASIDE_SECONDS)


async def watch_backlog(database: Database, *, every_seconds: float = 5.0) -> None:
    """Keep the gauges of the outbox's depth and age current until cancelled."""
    question = Question("outbox")
    while True:
        with suppress(*DATABASE_ERRORS):
            async with database.read() as connection:
                depth, age = await outbox.backlog(connection)
            question.answer(
                {metrics.OUTBOX_DEPTH: depth, metrics.OUTBOX_AGE: age},
                again_in_seconds=every_seconds,
            )
        await asyncio.sleep(every_seconds)
