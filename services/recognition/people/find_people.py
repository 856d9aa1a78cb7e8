"""The people of an event who have sent no selfie: grouped when asked for, one event at a time."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from cachetools import TTLCache

from libs.common import tasks
from libs.common.database.clock import present_moment
from libs.common.database.database import Database
from libs.common.errors import Conflict, NotFound, Unavailable
from services.recognition import metrics
from services.recognition.engine.face_engine import EngineProfile
from services.recognition.matching import repository as stored_matches
from services.recognition.people import repository
from services.recognition.people.group_apart import group_apart
from services.recognition.people.people import People
from services.recognition.people.repository import Stamp

#: Of more faces the best ones are grouped: 3 to 10 seconds of one core for so many.
MOST_FACES = 20_000
#: Events that may wait for their turn, and the patience with one.
MOST_WAITING = 8
TIMEOUT_SECONDS = 120.0
#: What is kept: places of faces, no embeddings; some 300 bytes each.
KEPT_FACES = 100_000
KEPT_SECONDS = 600.0
#: While photos come in, an event is grouped again only after so many times what that takes.
REST_TIMES = 10.0


@dataclass(frozen=True, slots=True)
class FoundPeople:
    """Who was found, from how many of the event's faces that match no guest, and when."""

    people: People
    faces_considered: int
    faces_in_all: int
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class _Kept:
    found: FoundPeople
    stamp: Stamp
    seconds: float
    ended: float  # time.monotonic()

    def serves(self, stamp: Stamp, *, is_fresh: bool) -> bool:
        """Whether it need not be done again: nothing changed, or it was done just now."""
        if self.stamp == stamp:
            return True
        return not is_fresh and time.monotonic() - self.ended < REST_TIMES * self.seconds


class PeopleFinder:
    """`engine` made the embeddings that are grouped; None where they are not ours to compare."""

    def __init__(
        self, database: Database, engine: EngineProfile | None, *, most_faces: int = MOST_FACES
    ) -> None:
        self._database = database
        self._engine = engine
        self._most_faces = most_faces
        self._kept: TTLCache[int, _Kept] = TTLCache(
            max(KEPT_FACES, most_faces + 1),
            KEPT_SECONDS,
            getsizeof=lambda kept: kept.found.faces_considered + 1,
        )
        self._running: dict[int, asyncio.Task[FoundPeople]] = {}
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await tasks.end(*self._running.values())

    async def find(self, event_id: int, *, is_fresh: bool = False) -> FoundPeople:
        """Return the event's people; with `is_fresh` as of now, else maybe of a moment ago.

        Raises NotFound, Conflict where a paid service holds the faces, and Unavailable.
        """
        if self._engine is None:
            msg = (
                "People without a selfie cannot be grouped with Amazon Rekognition: it would cost"
                " one paid search for every face of the event."
            )
            raise Conflict(msg)
        async with self._database.read() as connection:
            stamp = await repository.stamp_of(connection, event_id)
        if stamp is None:
            self._kept.pop(event_id, None)
            raise NotFound("Event", event_id)
        kept = self._kept.get(event_id)
        if kept is not None and kept.serves(stamp, is_fresh=is_fresh):
            return kept.found
        # Who goes away does not stop it: others may wait, or come back for it.
        return await asyncio.shield(self._run(event_id, stamp, self._engine))

    def _run(self, event_id: int, stamp: Stamp, engine: EngineProfile) -> asyncio.Task[FoundPeople]:
        """Return the event's run, a new one unless it is under way."""
        task = self._running.get(event_id)
        if task is None:
            if len(self._running) > MOST_WAITING:
                msg = "The people of many events are being grouped. Try again in a minute."
                raise Unavailable(msg, retry_after_seconds=60)
            task = asyncio.create_task(
                self._group(event_id, stamp, engine), name=f"people of event {event_id}"
            )
            self._running[event_id] = task
            task.add_done_callback(lambda done: self._end(event_id, done))
        return task

    def _end(self, event_id: int, done: asyncio.Task[FoundPeople]) -> None:
        del self._running[event_id]
        if not done.cancelled():
            # Nobody may be left to see it; those who wait get it by themselves.
            done.exception()

    async def _group(self, event_id: int, stamp: Stamp, engine: EngineProfile) -> FoundPeople:
        async with self._turn:
            began = time.monotonic()
            async with self._database.read(patient=True) as connection:
                computed_at = await present_moment(connection)
                threshold = await stored_matches.threshold(connection, event_id)
                faces = await repository.unmatched_faces(
                    connection, event_id, engine=engine, limit=self._most_faces
                )
            groups = await group_apart(
                faces.embeddings,
                largest_distance=engine.calibration.distance_of(threshold),
                timeout_seconds=TIMEOUT_SECONDS,
            )
            people = await asyncio.to_thread(People.of, faces.table, groups)
            ended = time.monotonic()
        metrics.PEOPLE_SECONDS.observe(ended - began)
        found = FoundPeople(people, len(faces.table), faces.in_all, computed_at)
        self._kept[event_id] = _Kept(found, stamp, ended - began, ended)
        return found
