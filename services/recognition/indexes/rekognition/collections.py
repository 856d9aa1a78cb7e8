"""One collection per event, made when its first face is indexed."""

import asyncio
from collections import defaultdict

from cachetools import LRUCache

from libs.common.database.database import Database
from libs.common.errors import PermanentError
from services.recognition.indexes.rekognition import repository
from services.recognition.indexes.rekognition.client import Rekognition

#: Events whose collection this process knows to be there.
EVENTS_KEPT = 10_000


class EventGone(PermanentError):
    """The event was deleted meanwhile: nothing of it may be indexed."""


class Collections:
    """Knows which collections are there, and makes those that are missing."""

    def __init__(self, database: Database, rekognition: Rekognition, *, prefix: str) -> None:
        self._database = database
        self._rekognition = rekognition
        self._prefix = prefix
        self._made: LRUCache[int, bool] = LRUCache(EVENTS_KEPT)
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def name(self, event_id: int) -> str:
        """The collection's id."""
        return f"{self._prefix}{event_id}"

    async def ensure(self, event_id: int) -> str:
        """Return the collection's id once it exists. Raises EventGone."""
        if event_id not in self._made:
            async with self._locks[event_id]:
                if event_id not in self._made:
                    await self._make(event_id)
            self._locks.pop(event_id, None)
        return self.name(event_id)

    async def report_missing(self, event_id: int) -> None:
        """Have a collection made anew that was deleted behind our back."""
        self._made.pop(event_id, None)
        async with self._database.unit_of_work() as unit:
            await repository.mark_collection(unit.connection, event_id, is_made=False)

    async def _make(self, event_id: int) -> None:
        async with self._database.unit_of_work() as unit:
            await repository.announce_collection(unit.connection, event_id)
        async with self._database.unit_of_work(patient=True) as unit:
            is_made = await repository.lock_collection(unit.connection, event_id)
            if is_made is None:
                msg = f"event {event_id} was deleted"
                raise EventGone(msg)
            if not is_made:
                await self._rekognition.create_collection(event_id, self.name(event_id))
                await repository.mark_collection(unit.connection, event_id, is_made=True)
        self._made[event_id] = True
