"""Whether an event is over, by the database's clock, in all services alike.

From its end on an event is closed to its guests. Its photographer and admins see it for a grace
period, in which they may prolong it; then its photos and faces are erased, and it is closed to all.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog
from cachetools import LRUCache
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import tasks
from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.database.tables import events
from libs.common.errors import FindMeError, Gone

#: What is known of an event is good for so long; its end is known to the moment all the same.
FRESH_SECONDS = 1.0
#: A database that does not answer by then is not waited for: what was known before counts.
ASK_SECONDS = 1.0
#: After a failure it is left alone for so long.
RETRY_SECONDS = 5.0
KNOWN_EVENTS = 20_000

_TIME = func.extract("epoch", func.clock_timestamp())

log = structlog.get_logger(__name__)


class EventOver(Gone):
    """The event has ended; only who runs it still sees it."""

    def __init__(self, event_id: int) -> None:
        super().__init__(
            "This event has ended: its photos are not shown any more."
            " Its photographer can prolong it."
        )
        self.event_id = event_id


class EventErased(EventOver):
    """The event has ended, and the time in which it could be prolonged is over, too."""

    def __init__(self, event_id: int) -> None:
        super().__init__(event_id)
        self.args = ("This event has ended, and its photos and faces have been erased.",)


@dataclass(frozen=True, slots=True)
class EventState:
    """What is left of an event: it is over from its end on, and erased after the grace period."""

    is_over: bool
    is_erased: bool

    def require_open(self, event_id: int, *, runs_event: bool) -> None:
        """Raises EventErased, and EventOver for those who do not run the event."""
        if self.is_erased:
            raise EventErased(event_id)
        if self.is_over and not runs_event:
            raise EventOver(event_id)


def is_over() -> ColumnElement[bool]:
    """Whether the event of a row of `events` has ended."""
    return events.c.expires_at <= func.now()


def is_erased() -> ColumnElement[bool]:
    """Whether the photos of a row of `events` have been erased, or are being so."""
    return events.c.erasure_began_at.is_not(None)


def kept_until() -> ColumnElement[datetime]:
    """Until when the event of a row of `events` is kept at the least, without a grace period."""
    return func.coalesce(events.c.kept_until, events.c.expires_at)


async def find_state(connection: AsyncConnection, event_id: int) -> EventState | None:
    """Return what is left of the event, None when there is none."""
    row = (
        await connection.execute(
            select(is_over().label("is_over"), is_erased().label("is_erased")).where(
                events.c.id == event_id
            )
        )
    ).one_or_none()
    return EventState(row.is_over, row.is_erased) if row else None


@dataclass(frozen=True, slots=True)
class KnownEnd:
    """When an event ends on this process's monotonic clock, as the database said."""

    exists: bool
    ends_at: float
    is_erased: bool
    known_at: float

    def is_fresh(self, now: float, seconds: float) -> bool:
        """Whether it was asked for within so many seconds."""
        return now - self.known_at < seconds

    def state(self, now: float) -> EventState:
        """Return what is left of it at this moment."""
        return EventState(is_over=now >= self.ends_at, is_erased=self.is_erased)


class EventEnds:
    """What this process knows of when events end: asked once for all who ask, and kept.

    Where the database is away the last answer counts, to its moment; so nobody waits for it whose
    answer is in a cache or in the store.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: LRUCache[int, KnownEnd] = LRUCache(KNOWN_EVENTS)
        self._asking: dict[int, tuple[asyncio.Task[KnownEnd | None], float]] = {}
        self._failed_at = -RETRY_SECONDS
        self._clock_offset_seconds = 0.0

    def now(self) -> float:
        """Return the database's time (seconds since 1970), as far as it was ever asked."""
        return time.time() + self._clock_offset_seconds

    async def learn_time(self) -> None:
        """Ask the database for the time, if it answers; each later answer tells it, too."""
        with suppress(FindMeError, TimeoutError, *DATABASE_ERRORS):
            async with asyncio.timeout(ASK_SECONDS), self._database.read() as connection:
                self._note_time(await connection.scalar(select(_TIME)))

    def seconds_left(self, end: KnownEnd) -> float:
        """Return how long the event goes on; less than 0 where it is over."""
        return end.ends_at - self._clock()

    def state(self, end: KnownEnd) -> EventState:
        """Return what is left of the event at this moment."""
        return end.state(self._clock())

    async def of(self, event_id: int, *, fresh_seconds: float = FRESH_SECONDS) -> KnownEnd | None:
        """Return what is known of the event's end, None when nothing could be learnt of it."""
        known: KnownEnd | None = self._known.get(event_id)
        now = self._clock()
        if known is not None and known.is_fresh(now, fresh_seconds):
            return known
        if now - self._failed_at < RETRY_SECONDS:
            return known
        task, since = self._asking.get(event_id, (None, now))
        if task is None:
            task = asyncio.create_task(self._ask(event_id), name="event-end")
            self._asking[event_id] = (task, now)
        done, _ = await asyncio.wait({task}, timeout=max(0.0, since + ASK_SECONDS - now))
        return (task.result() if done else None) or known

    def known(self, event_id: int) -> KnownEnd | None:
        """Return what was learnt of the event's end lately."""
        known: KnownEnd | None = self._known.get(event_id)
        if known is None or not known.is_fresh(self._clock(), FRESH_SECONDS):
            return None
        return known

    def goes_on(self, event_id: int) -> bool:
        """Whether the event is known to be open to its guests."""
        end = self.known(event_id)
        return end is not None and not end.is_erased and self._clock() < end.ends_at

    def forget(self, event_id: int) -> None:
        """Ask anew when it is wanted next: it was prolonged, or erased."""
        known: KnownEnd | None = self._known.get(event_id)
        if known is not None:
            self._known[event_id] = KnownEnd(
                known.exists, known.ends_at, known.is_erased, known_at=float("-inf")
            )

    async def close(self) -> None:
        """Give up what is being asked."""
        await tasks.end(*(task for task, _ in self._asking.values()))

    async def _ask(self, event_id: int) -> KnownEnd | None:
        began = self._clock()
        try:
            async with self._database.read() as connection:
                rows = await connection.execute(
                    select(
                        _TIME.label("now"),
                        func.extract("epoch", events.c.expires_at - func.clock_timestamp()).label(
                            "seconds_left"
                        ),
                        is_erased().label("is_erased"),
                    ).where(events.c.id == event_id)
                )
                row = rows.one_or_none()
        except (FindMeError, *DATABASE_ERRORS) as error:
            self._failed_at = self._clock()
            log.warning("event_end_unknown", kind=type(error).__name__)
            return None
        finally:
            del self._asking[event_id]
        if row is None:
            end = KnownEnd(exists=False, ends_at=began, is_erased=False, known_at=began)
        else:
            self._note_time(row.now)
            ends_at = began + float(row.seconds_left)
            end = KnownEnd(exists=True, ends_at=ends_at, is_erased=row.is_erased, known_at=began)
        self._known[event_id] = end
        return end

    def _note_time(self, seconds: object) -> None:
        self._clock_offset_seconds = float(str(seconds)) - time.time()
