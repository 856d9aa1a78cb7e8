"""Match an event in rounds: the more photos meet the more selfies at once, the fewer searches.

A message only says that something of its event waits. It is acked before the round: what waits
is in the database (photos that are analysed, selfies that are indexed), and the round takes
everything of the event, whichever message began it.

Every round reads both sides in one snapshot, after its own photos and selfies were committed:
of any two rounds the later one sees what the other brought (see `FaceIndex.match`). So nothing
is missed even if the event has two owners for a while.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

import structlog
from cachetools import LRUCache

from libs.common.messaging.messages import PhotoAnalyzed, SelfieUploaded
from libs.common.rights.event_ends import find_state
from libs.common.telemetry import tracing
from services.recognition import metrics
from services.recognition.indexes.face_index import SelfieKey
from services.recognition.indexes.rekognition.index import RekognitionIndex
from services.recognition.indexes.rekognition.planner import Comparisons
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.match import (
    FinishedPhotos,
    Matcher,
    finish_photos,
    finish_selfies,
)
from services.recognition.photos.repository import PhotoRow
from services.recognition.rekognition_rounds import repository
from services.recognition.rekognition_rounds.batching import (
    FIRST_SEARCHES,
    BatchLimits,
    Burst,
    Take,
    Waiting,
    first_photos,
)
from services.recognition.rekognition_rounds.event_tasks import EventTasks, Outlook
from services.recognition.selfies.index_selfie import SelfieIndexer, is_indexed

#: Rounds of one process at a time, each of another event.
ROUNDS_AT_ONCE = 16
#: Events whose last burst is remembered.
EVENTS_KEPT = 10_000

log = structlog.get_logger(__name__)


class Rounds:
    """What the match partitions do with an event's photos and selfies.

    `tasks` must be started, and stopped before the partitions are given back.
    """

    def __init__(
        self,
        indexer: SelfieIndexer,
        index: RekognitionIndex,
        limits: BatchLimits,
        *,
        owned: Callable[[], Collection[int]],
    ) -> None:
        self._indexer = indexer
        self.tasks = EventTasks(EventRounds(indexer.matcher, index, limits), owned=owned)

    async def photos_analyzed(self, messages: Sequence[PhotoAnalyzed]) -> None:
        """Have the photos matched: with others, after a wait that is bounded."""
        for event_id in {message.event_id for message in messages}:
            await self.tasks.tell(event_id)

    async def selfie_uploaded(self, message: SelfieUploaded) -> None:
        """Have the selfie matched, once it is indexed, with all others that wait."""
        selfie = SelfieKey(message.event_id, message.user_id, message.selfie_id)
        if await is_indexed(selfie, using=self._indexer):
            await self.tasks.tell(message.event_id)


class EventRounds:
    """Makes the rounds of events, one at a time of each."""

    def __init__(self, matcher: Matcher, index: RekognitionIndex, limits: BatchLimits) -> None:
        self._matcher = matcher
        self._database = matcher.database
        self._index = index
        self._limits = limits
        self._at_once = asyncio.Semaphore(ROUNDS_AT_ONCE)
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._bursts: LRUCache[int, Burst] = LRUCache(EVENTS_KEPT)
        self._comparisons: LRUCache[int, Comparisons] = LRUCache(EVENTS_KEPT)

    async def waiting_events(self) -> Collection[int]:
        """See `EventWork.waiting_events`."""
        async with self._database.read() as connection:
            return await repository.waiting_events(connection)

    async def step(self, event_id: int) -> Outlook:
        """See `EventWork.step`: match what of the event is to be matched now."""
        # A message of an event whose rounds fail makes them itself, perhaps beside its task.
        async with self._locks[event_id]:
            outlook = await self._look(event_id)
        if outlook is Outlook.NOTHING:
            self._locks.pop(event_id, None)
            self._comparisons.pop(event_id, None)
        return outlook

    async def _look(self, event_id: int) -> Outlook:
        async with self._database.read() as connection:
            state = await find_state(connection, event_id)
            waiting = await repository.waiting(connection, event_id)
        if state is None or state.is_over or state.is_erased or waiting.is_nothing:
            return Outlook.NOTHING
        comparisons = self._comparisons.setdefault(event_id, Comparisons())
        burst = self._limits.burst_at(time.monotonic(), self._bursts.get(event_id), waiting)
        self._bursts[event_id] = burst
        take = self._limits.photos_to_take(
            waiting, burst, compared=comparisons.compared_with_all(waiting.faces)
        )
        photos = await self._photos(event_id, take, burst)
        if not photos and not waiting.new_selfies:
            return Outlook.LATER
        async with self._at_once:
            with tracing.new_trace("match round", event_id=event_id):
                await self._round(event_id, photos, waiting, burst, comparisons)
        return Outlook.MORE

    async def _photos(self, event_id: int, take: Take, burst: Burst) -> list[PhotoRow]:
        if take is Take.NOTHING:
            return []
        async with self._database.read() as connection:
            photos = await repository.analyzed_photos(
                connection, event_id, limit=self._limits.photos
            )
            if take is Take.ALL:
                return photos
            faces = await repository.count_faces(connection, [photo.id for photo in photos])
        chosen = first_photos(faces, searches=FIRST_SEARCHES - burst.first_searches)
        if not chosen:
            burst.first_searches = FIRST_SEARCHES
        return [photo for photo in photos if photo.id in chosen]

    async def _round(
        self,
        event_id: int,
        photos: Sequence[PhotoRow],
        waiting: Waiting,
        burst: Burst,
        comparisons: Comparisons,
    ) -> None:
        least = await self._matcher.least_similarity(event_id)
        searcher = self._index.searcher(event_id, least)
        searched = await searcher.match(
            [photo.id for photo in photos],
            None,
            comparisons=comparisons,
            waiting_photos=self._limits.photos,
        )
        if waiting.is_burst:
            burst.spend(
                searched.calls,
                new_selfies=len(searched.selfie_ids),
                has_found=bool(searched.matches),
            )
        worth = self._matcher.worth_keeping(event_id, searched.matches, least=least)
        finished = FinishedPhotos()
        # Repeated where it meets another transaction: the searches are paid for.
        async for attempt in self._database.attempts():
            async with attempt as unit:
                await stored_matches.upsert(unit.connection, event_id, worth)
                finished = await finish_photos(photos, unit=unit)
                await finish_selfies(event_id, searched.selfie_ids, unit=unit)
        finished.count()
        await self._matcher.drop_surplus(event_id)
        comparisons.record(searched.compared, waiting=searched.waiting)
        metrics.MATCH_ROUND_PHOTOS.observe(len(photos))
