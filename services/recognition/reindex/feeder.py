"""Sends what is stale through the usual queues, a little at a time, behind everything new."""

import asyncio
from dataclasses import dataclass
from typing import NoReturn

import structlog
from sqlalchemy.exc import SQLAlchemyError

from libs.common.database.database import Database, UnitOfWork
from libs.common.errors import FindMeError
from libs.common.messaging.messages import PhotoAnalyzed, PhotoUploaded, SelfieUploaded
from libs.common.telemetry.questions import Question
from services.recognition import metrics
from services.recognition.reindex import repository
from services.recognition.reindex.repository import Stale

#: While there is something to do: the queues must not run empty between two looks.
FEED_EVERY_SECONDS = 0.25
#: While there is nothing to do.
LOOK_EVERY_SECONDS = 5.0
#: How often what is left is counted, which reads all of it.
COUNT_EVERY_SECONDS = 10.0
#: For each worker one photo in its hands, and one that waits: a new photo waits behind so many.
PHOTOS_PER_WORKER = 2
#: Photos that nobody matched, sent again by one transaction.
UNMATCHED_BATCH = 1000

log = structlog.get_logger(__name__)


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
        self._is_feeding = False
        self._counted_at = float("-inf")
        self._left = Stale(0, 0)
        self._question = Question("reindexing")

    async def run(self) -> NoReturn:
        """Feed until cancelled."""
        while True:
            try:
                has_work = await self.feed()
                self._show()
            except (FindMeError, SQLAlchemyError, OSError) as error:
                log.warning("reindexing_interrupted", error=str(error))
                has_work = False
            await asyncio.sleep(FEED_EVERY_SECONDS if has_work else LOOK_EVERY_SECONDS)

    async def start_over(self) -> None:
        """Forget what was on its way, where the bus forgot it with its process."""
        async for attempt in self._database.attempts(patient=True):
            async with attempt as unit:
                await repository.forget_sent_photos(unit.connection)

    async def feed(self) -> bool:
        """Send as much as may be on its way at once; False when there is nothing to do."""
        async with self._database.unit_of_work() as unit:
            if not await repository.lead(unit.connection):
                self._left = Stale(0, 0)
                return False
            engines = await repository.engines_at_work(
                unit.connection, lease_seconds=self._limits.lease_seconds
            )
            if not engines:
                return True  # soon: our own row is on its way
            if not await self._may_feed(unit, engines):
                return False
            event_ids = await repository.stale_events(unit.connection, self._engine)
            await self._feed_photos(unit, await self._feed_selfies(unit, event_ids))
        self._was_mixed = False
        await self._tell(is_feeding=bool(event_ids))
        return bool(event_ids)

    async def _may_feed(self, unit: UnitOfWork, engines: set[str | None]) -> bool:
        if engines - {self._engine}:
            if not self._was_mixed:
                log.info("reindexing_waits_for_replicas", engines=sorted(map(str, engines)))
            self._was_mixed = True
            return False
        if self._was_mixed:
            # Owners of another engine left ours unmatched.
            while await self._publish_unmatched(unit) == UNMATCHED_BATCH:
                pass
        return True

    async def _publish_unmatched(self, unit: UnitOfWork) -> int:
        found = await repository.take_unmatched_photos(
            unit.connection, self._engine, limit=UNMATCHED_BATCH
        )
        for event_id, photo_id in found:
            unit.publish(PhotoAnalyzed(event_id=event_id, photo_id=photo_id))
        return len(found)

    async def _feed_selfies(self, unit: UnitOfWork, event_ids: list[int]) -> list[int]:
        """Return the events whose selfies are all on their way, or done."""
        fed: list[int] = []
        for event_id in event_ids:
            in_hand = await repository.selfies_in_hand(unit.connection, event_id, self._engine)
            room = max(self._limits.photos_at_once - in_hand, 0)
            selfies = await repository.take_selfies(
                unit.connection, event_id, self._engine, limit=room
            )
            for selfie in selfies:
                unit.publish(
                    SelfieUploaded(event_id=event_id, user_id=selfie.user_id, selfie_id=selfie.id)
                )
            if len(selfies) < room:
                fed.append(event_id)
        return fed

    async def _feed_photos(self, unit: UnitOfWork, event_ids: list[int]) -> None:
        limits = self._limits
        replicas = await repository.count_replicas(
            unit.connection, lease_seconds=limits.lease_seconds
        )
        in_hand = await repository.photos_in_hand(
            unit.connection, patience_seconds=limits.patience_seconds
        )
        room = PHOTOS_PER_WORKER * limits.photos_at_once * replicas - in_hand
        for event_id in event_ids:
            if room <= 0:
                return
            photo_ids = await repository.take_photos(
                unit.connection,
                event_id,
                self._engine,
                limit=room,
                patience_seconds=limits.patience_seconds,
            )
            for photo_id in photo_ids:
                unit.publish(
                    PhotoUploaded(event_id=event_id, photo_id=photo_id, reindex_for=self._engine)
                )
            room -= len(photo_ids)

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
