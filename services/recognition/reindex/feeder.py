"""Sends what is stale through the usual queues, a little at a time, behind everything new."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NoReturn

import structlog

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import FindMeError
from libs.common.messaging.messages import PhotoAnalyzed, PhotoUploaded, SelfieUploaded
from libs.common.telemetry.questions import Question
from services.recognition import metrics
from services.recognition.reindex import repository
from services.recognition.reindex.repository import Stale

#: While there is something to do: the queues must not run empty between two looks.
FEED_EVERY_SECONDS = 0.25
#: While there is nothing to do; looks for what is left to be sent come to be as rare.
LOOK_EVERY_SECONDS = 5.0
#: How often what is left is counted, which reads all of it.
COUNT_EVERY_SECONDS = 10.0
#: For each worker one photo in its hands, and one that waits: a new photo waits behind so many.
PHOTOS_PER_WORKER = 2
#: Photos that nobody matched, sent again by one transaction.
UNMATCHED_BATCH = 1000

log = structlog.get_logger(__name__)


class Fed(Enum):
    """What a look came to."""

    #: Another replica feeds, or one of another engine is alive.
    NOT_YET = "not yet"
    #: Something else comes first, and is not through.
    SOON = "soon"
    #: Something was sent, or waits for room.
    MORE = "more"
    #: All that is stale is on its way.
    ALL_SENT = "all sent"
    #: Nothing is stale.
    NOTHING = "nothing"


def next_pause_seconds(last: float, fed: Fed) -> float:
    """Return how long to wait before the next look: the longer, the longer nothing was sent."""
    match fed:
        case Fed.SOON | Fed.MORE:
            return FEED_EVERY_SECONDS
        case Fed.ALL_SENT:
            return min(2 * last, LOOK_EVERY_SECONDS)
        case Fed.NOT_YET | Fed.NOTHING:
            return LOOK_EVERY_SECONDS


@dataclass(frozen=True, slots=True)
class ReindexLimits:
    """How many photos a replica works on, and how long a message may be on its way."""

    photos_at_once: int
    lease_seconds: float
    patience_seconds: float


class Feeder:
    """One in each replica; an advisory lock lets one feed at a time.

    It waits while a replica of another engine is alive: of two engines each would undo the
    other's work. All that it knows is in the rows, so that another one can go on at any time.
    """

    def __init__(self, database: Database, *, engine: str, limits: ReindexLimits) -> None:
        self._database = database
        self._engine = engine
        self._limits = limits
        self._was_mixed = False
        #: What was sent before this, and is unmatched, was left by owners of another engine.
        self._unmatched_before: datetime | None = None
        self._is_feeding = False
        self._counted_at = float("-inf")
        self._left = Stale(0, 0)
        self._question = Question("reindexing")

    async def run(self) -> NoReturn:
        """Feed until cancelled."""
        pause = LOOK_EVERY_SECONDS
        while True:
            try:
                fed = await self.feed()
                self._show()
            except (FindMeError, *DATABASE_ERRORS) as error:
                log.warning("reindexing_interrupted", error=error)
                fed = Fed.NOT_YET
            pause = next_pause_seconds(pause, fed)
            await asyncio.sleep(pause)

    async def start_over(self) -> None:
        """Forget what was on its way, where the bus forgot it with its process."""
        async for attempt in self._database.attempts(patient=True):
            async with attempt as unit:
                await repository.forget_sent_photos(unit.connection)

    async def feed(self) -> Fed:
        """Send as much as may be on its way at once, in one transaction."""
        fed = Fed.NOT_YET
        async for attempt in self._database.attempts():
            async with attempt as unit:
                fed = await self._feed(unit)
        if fed not in (Fed.NOT_YET, Fed.SOON):
            self._was_mixed = False
            self._unmatched_before = None
            await self._tell(is_feeding=fed is not Fed.NOTHING)
        return fed

    async def _feed(self, unit: UnitOfWork) -> Fed:
        if not await repository.lead(unit.connection):
            self._left = Stale(0, 0)
            return Fed.NOT_YET
        engines = await repository.engines_at_work(
            unit.connection, lease_seconds=self._limits.lease_seconds
        )
        if not engines:
            return Fed.SOON  # our own row is on its way
        if engines - {self._engine}:
            if not self._was_mixed:
                log.info("reindexing_waits_for_replicas", engines=sorted(map(str, engines)))
            self._was_mixed = True
            return Fed.NOT_YET
        # Owners of another engine left ours unmatched.
        if self._was_mixed and await self._publish_unmatched(unit) == UNMATCHED_BATCH:
            return Fed.SOON
        event_ids = await repository.stale_events(unit.connection, self._engine)
        if not event_ids:
            return Fed.NOTHING
        room = await repository.selfie_room(
            unit.connection, event_ids, self._engine, at_once=self._limits.photos_at_once
        )
        full = await self._feed_selfies(unit, room)
        photos_wait = await self._feed_photos(
            unit, [event_id for event_id in event_ids if event_id not in full]
        )
        return Fed.MORE if full or photos_wait else Fed.ALL_SENT

    async def _publish_unmatched(self, unit: UnitOfWork) -> int:
        """Send some of them; of those that were sent since this began none is sent again."""
        if self._unmatched_before is None:
            self._unmatched_before = await repository.just_before(unit.connection)
        found = await repository.take_unmatched_photos(
            unit.connection, self._engine, before=self._unmatched_before, limit=UNMATCHED_BATCH
        )
        for event_id, photo_id in found:
            unit.publish(PhotoAnalyzed(event_id=event_id, photo_id=photo_id))
        return len(found)

    async def _feed_selfies(self, unit: UnitOfWork, room: Mapping[int, int]) -> set[int]:
        """Fill the room of events with stale selfies; return those where it is used up."""
        taken = await repository.take_selfies(unit.connection, room, self._engine)
        for selfie in taken:
            unit.publish(
                SelfieUploaded(
                    event_id=selfie.event_id, user_id=selfie.user_id, selfie_id=selfie.id
                )
            )
        counts = Counter(selfie.event_id for selfie in taken)
        return {event_id for event_id, limit in room.items() if counts[event_id] >= limit}

    async def _feed_photos(self, unit: UnitOfWork, event_ids: Sequence[int]) -> bool:
        """Send photos of these events; return whether there may soon be more to send."""
        limits = self._limits
        replicas = await repository.count_replicas(
            unit.connection, lease_seconds=limits.lease_seconds
        )
        at_once = PHOTOS_PER_WORKER * limits.photos_at_once * replicas
        in_hand = await repository.photos_in_hand(
            unit.connection, patience_seconds=limits.patience_seconds, enough=at_once
        )
        if in_hand >= at_once:
            return True
        taken = await repository.take_photos(
            unit.connection,
            event_ids,
            self._engine,
            limit=at_once - in_hand,
            patience_seconds=limits.patience_seconds,
        )
        for photo in taken:
            unit.publish(
                PhotoUploaded(event_id=photo.event_id, photo_id=photo.id, reindex_for=self._engine)
            )
        return bool(taken)

    async def _tell(self, *, is_feeding: bool) -> None:
        now = asyncio.get_running_loop().time()
        is_due = is_feeding and now - self._counted_at >= COUNT_EVERY_SECONDS
        if not is_due and is_feeding == self._is_feeding:
            return
        left = Stale(0, 0)
        if is_feeding:
            self._counted_at = now
            async with self._database.read(patient=True) as connection:
                left = await repository.count_stale(connection, self._engine)
            log.info("reindexing", engine=self._engine, photos=left.photos, selfies=left.selfies)
        else:
            log.info("reindexing_done", engine=self._engine)
        self._is_feeding = is_feeding
        self._left = left

    def _show(self) -> None:
        self._question.answer(
            {
                metrics.REINDEX_WAITING.labels("photo"): self._left.photos,
                metrics.REINDEX_WAITING.labels("selfie"): self._left.selfies,
            },
            again_in_seconds=LOOK_EVERY_SECONDS,
        )
