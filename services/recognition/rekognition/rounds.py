"""Match an event in rounds: the more photos meet the more selfies at once, the fewer searches.

A round takes everything of the event that waits, whichever message began it; the messages of
the others find their photo or selfie done.

Every round reads both sides in one snapshot, after its own photos and selfies were committed:
of any two rounds the later one sees what the other brought (see `FaceIndex.match`). So nothing
is missed even if the event has two owners for a while.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from cachetools import LRUCache

from libs.common.errors import FindMeError
from libs.common.messages import PhotoAnalyzed, SelfieUploaded
from services.recognition import metrics, selfie_claims
from services.recognition import repository as recognition
from services.recognition.face_index import SelfieKey
from services.recognition.finish import finish_photos, finish_selfies
from services.recognition.index_selfie import SelfieIndexer, index_selfie
from services.recognition.rekognition import repository
from services.recognition.rekognition.batching import BatchLimits

#: How often a batch that grows is looked at.
POLL_SECONDS = 0.1
#: Selfies that are indexed in one round; the service's client bounds how many at once.
SELFIES_PER_ROUND = 200
#: Events whose last batch is remembered.
EVENTS_KEPT = 10_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Batch:
    """When an event's batch was opened, and the one before closed, in monotonic seconds."""

    opened: float | None = None
    last_closed: float | None = None


class Rounds:
    """What the match partitions do with an event's photos and selfies."""

    def __init__(
        self, indexer: SelfieIndexer, limits: BatchLimits, *, is_stopping: Callable[[], bool]
    ) -> None:
        self._indexer = indexer
        self._matcher = indexer.matcher
        self._limits = limits
        self._is_stopping = is_stopping
        self._batches: LRUCache[int, _Batch] = LRUCache(EVENTS_KEPT)

    async def photo_analyzed(self, message: PhotoAnalyzed) -> None:
        """Return once the photo is matched: with others, after a wait that is bounded.

        Selfies that arrive meanwhile do not wait.
        """
        while await self._is_waiting(message.photo_id):
            await self._index_selfies(message.event_id)
            if not await self._match(message.event_id):
                await asyncio.sleep(POLL_SECONDS)

    async def selfie_uploaded(self, message: SelfieUploaded, *, last_attempt: bool) -> None:
        """Index the selfie, together with all others that wait, and match them."""
        own = SelfieKey(message.event_id, message.user_id, message.selfie_id)
        outcome, _ = await asyncio.gather(
            index_selfie(own, last_attempt=last_attempt, using=self._indexer),
            self._index_selfies(message.event_id, besides=own),
            return_exceptions=True,
        )
        await self._match(message.event_id)
        if isinstance(outcome, BaseException):
            raise outcome

    async def _is_waiting(self, photo_id: int) -> bool:
        async with self._matcher.database.read() as connection:
            photo = await recognition.find_photo(connection, photo_id)
        return photo is not None and photo.status == "analyzed"

    async def _index_selfies(self, event_id: int, *, besides: SelfieKey | None = None) -> None:
        """Index what nobody has claimed yet; who fails is left to the message of its own."""
        async with self._matcher.database.read() as connection:
            waiting = await selfie_claims.waiting_selfies(
                connection, event_id, limit=SELFIES_PER_ROUND
            )
        await asyncio.gather(*(self._try_index(selfie) for selfie in waiting if selfie != besides))

    async def _try_index(self, selfie: SelfieKey) -> None:
        try:
            await index_selfie(selfie, last_attempt=False, using=self._indexer)
        except (FindMeError, OSError) as error:
            log.info("selfie_not_indexed_yet", selfie_id=selfie.selfie_id, error=str(error))

    async def _match(self, event_id: int) -> bool:
        """Match the selfies that wait, and the photos if their batch is closed; False if none."""
        database = self._matcher.database
        closed = await self._closes_batch(event_id)
        async with database.read() as connection:
            selfie_ids = await repository.indexed_selfies(connection, event_id)
            photos = (
                await repository.analyzed_photos(connection, event_id, limit=self._limits.photos)
                if closed
                else []
            )
        if not photos and not selfie_ids:
            return False
        found = [
            match
            async for some in self._matcher.index.match(
                event_id,
                photo_ids=[photo.id for photo in photos],
                selfie_ids=selfie_ids,
                threshold=await self._matcher.least_similarity(event_id),
            )
            for match in some
        ]
        async with database.unit_of_work() as unit:
            await recognition.upsert_matches(unit.connection, event_id, found)
            await finish_photos(photos, unit=unit)
            await finish_selfies(event_id, selfie_ids, unit=unit)
        metrics.MATCH_ROUND_PHOTOS.observe(len(photos))
        return True

    async def _closes_batch(self, event_id: int) -> bool:
        async with self._matcher.database.read() as connection:
            waiting = await repository.waiting(connection, event_id)
        batch = self._batches.setdefault(event_id, _Batch())
        if not waiting.photos:
            return False
        now = time.monotonic()
        if batch.opened is None:
            batch.opened = now
        since_last = None if batch.last_closed is None else batch.opened - batch.last_closed
        closes = self._is_stopping() or self._limits.is_closed(
            waiting,
            waited_seconds=now - batch.opened,
            patience=self._limits.patience(since_last),
        )
        if closes:
            batch.opened = None
            if waiting.selfies:
                batch.last_closed = now
        return closes
