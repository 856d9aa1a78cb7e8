"""How far an event's photos are, asked by many again and again, and counted now and then."""

import asyncio
import time
from dataclasses import dataclass, field

from cachetools import LRUCache

from libs.common.database.database import Database
from services.ingest.progress.repository import count_photos
from services.ingest.progress.rules import Counts, Pace

#: What was counted is good for so long, and at least for so many times as long as it took: the
#: database is at that for a twentieth of its time at most, however large an event is.
FRESH_SECONDS = 1.0
TIMES_OF_A_COUNT = 20
EVENTS_KNOWN = 1000


@dataclass(frozen=True, slots=True)
class Progress:
    """An event's counts, and the seconds until nothing pends; None where nobody knows."""

    counts: Counts
    eta_seconds: int | None


@dataclass(slots=True)
class _Known:
    """What is known of an event, and the count that is under way."""

    pace: Pace = field(default_factory=Pace)
    counting: asyncio.Task[None] | None = None
    progress: Progress | None = None
    good_until: float = 0.0


class EventsProgress:
    """Answers from what was counted last, for as long as that is good."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: LRUCache[int, _Known] = LRUCache(EVENTS_KNOWN)

    async def of(self, event_id: int) -> Progress:
        """Return how far the event's photos are. Raises what the database raises."""
        known = self._known.get(event_id)
        if known is None:
            known = self._known[event_id] = _Known()
        if known.progress is None or time.monotonic() >= known.good_until:
            if known.counting is None:
                known.counting = asyncio.create_task(self._count(event_id, known))
            # All who wait for one count have its answer, or its error; who leaves ends it for
            # nobody else.
            await asyncio.shield(known.counting)
        assert known.progress is not None  # noqa: S101 - the count has made it, or has raised
        return known.progress

    async def _count(self, event_id: int, known: _Known) -> None:
        began = time.monotonic()
        try:
            async with self._database.read() as connection:
                asked = time.monotonic()
                counts = await count_photos(connection, event_id)
        finally:
            known.counting = None
        now = time.monotonic()
        known.pace.look(began, counts.finished)
        known.progress = Progress(counts, known.pace.seconds_for(counts.pending))
        known.good_until = now + max(FRESH_SECONDS, TIMES_OF_A_COUNT * (now - asked))
