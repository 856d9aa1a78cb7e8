"""A task for each event of which something waits, so that no event waits for another.

What waits is in the database. So a task may end with its process, or with the ownership of its
event's partition: the next owner looks for what waits every few seconds.
"""

import asyncio
from collections.abc import Callable, Collection
from contextvars import Context
from enum import Enum, auto
from typing import NoReturn, Protocol

import structlog
from cachetools import TTLCache

from libs.common import tasks
from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.sqlstates import is_away
from libs.common.errors import FindMeError, Unavailable
from libs.common.exhaustion import lacks
from libs.common.messaging.bus.topology import bucket_of

#: How often an event is looked at of which something has to wait; seldomer, the more there are.
POLL_SECONDS = 0.1
LOOKS_PER_SECOND = 100
#: How often it is looked for what waits and nobody told.
WATCH_SECONDS = 2.0
#: Failures of an event in a row before its messages have to bear them, and for how long.
MAX_FAILURES = 3
FAILING_SECONDS = 600.0
#: Shorter than a service's patience at its end: the partitions are given back afterwards.
STOP_SECONDS = 10.0
PAUSES_SECONDS = (0.2, 1.0, 5.0)
EVENTS_KEPT = 10_000

log = structlog.get_logger(__name__)


class Outlook(Enum):
    """What is left of an event after a step."""

    NOTHING = auto()
    #: Something that has to wait.
    LATER = auto()
    MORE = auto()


class EventWork(Protocol):
    """What is to be done of events, step by step."""

    async def step(self, event_id: int) -> Outlook:
        """Do what is to be done of the event now."""
        ...

    async def waiting_events(self) -> Collection[int]:
        """Read the events of which something waits."""
        ...


class EventTasks:
    """An `Intake` of what waits of the events whose partitions are owned."""

    def __init__(self, work: EventWork, *, owned: Callable[[], Collection[int]]) -> None:
        self._work = work
        self._owned = owned
        self._stopping = asyncio.Event()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        #: Events of which something came since their task looked last.
        self._news: set[int] = set()
        self._failing: TTLCache[int, bool] = TTLCache(EVENTS_KEPT, FAILING_SECONDS)

    @property
    def attended(self) -> frozenset[int]:
        """The events that have a task now."""
        return frozenset(self._tasks)

    async def run(self) -> NoReturn:
        """Look for what waits until cancelled: the work of a background task."""
        while not self._stopping.is_set():
            try:
                for event_id in await self._work.waiting_events():
                    if self._owns(event_id) and event_id not in self._failing:
                        self._wake(event_id)
            except (FindMeError, *DATABASE_ERRORS) as error:
                log.warning("waiting_events_not_read", error=error)
            await tasks.happens(self._stopping, within_seconds=WATCH_SECONDS)
        while True:
            await asyncio.Event().wait()

    async def stop(self) -> None:
        """See `Intake.stop`: steps are finished, what has to wait is left.

        A step that takes too long is ended: the next owner makes it again.
        """
        self._stopping.set()
        attending = [*self._tasks.values()]
        if not attending:
            return
        try:
            await asyncio.wait(attending, timeout=STOP_SECONDS)
        finally:
            await tasks.end(*attending)

    async def tell(self, event_id: int) -> None:
        """Have the event looked at, soon and by its own task; raise why that cannot be.

        If its steps have failed repeatedly, this one is made here, so that the failure is the
        message's: retried, and put aside where people look.
        """
        if event_id in self._failing:
            await self._work.step(event_id)
            self._failing.pop(event_id, None)
        self._wake(event_id)

    def _wake(self, event_id: int) -> None:
        self._news.add(event_id)
        if event_id in self._tasks or self._stopping.is_set():
            return
        # Not in the context, and so in the trace, of the message that happens to be in hand.
        task = asyncio.create_task(
            self._attend(event_id), name=f"match event {event_id}", context=Context()
        )
        self._tasks[event_id] = task
        task.add_done_callback(lambda _: self._forget(event_id))

    def _forget(self, event_id: int) -> None:
        del self._tasks[event_id]
        if event_id in self._news and self._owns(event_id):
            self._wake(event_id)

    def _owns(self, event_id: int) -> bool:
        return bucket_of(event_id) in self._owned()

    async def _attend(self, event_id: int) -> None:
        """Make steps until nothing waits, or the event is another replica's."""
        failures = 0
        while not self._stopping.is_set() and self._owns(event_id):
            self._news.discard(event_id)
            try:
                outlook = await self._work.step(event_id)
            except Exception as error:  # noqa: BLE001 - it is told, and made the messages' own
                failures += 1
                if self._gives_up(event_id, error, failures):
                    return
                pause = PAUSES_SECONDS[min(failures, len(PAUSES_SECONDS)) - 1]
                await tasks.happens(self._stopping, within_seconds=pause)
                continue
            failures = 0
            if outlook is Outlook.NOTHING and event_id not in self._news:
                return
            if outlook is Outlook.LATER:
                pause = max(POLL_SECONDS, len(self._tasks) / LOOKS_PER_SECOND)
                await tasks.happens(self._stopping, within_seconds=pause)

    def _gives_up(self, event_id: int, error: Exception, failures: int) -> bool:
        is_outage = isinstance(error, Unavailable) or is_away(error) or lacks(error) is not None
        log.warning(
            "event_not_matched_yet",
            event_id=event_id,
            error=error,
            exc_info=None if is_outage else error,
        )
        if is_outage or failures < MAX_FAILURES:
            return False
        self._failing[event_id] = True
        self._news.discard(event_id)
        return True
