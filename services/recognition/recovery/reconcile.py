"""Finds work whose message was lost and publishes it again.

The broker may lose a message, and the bus in process loses all of them with its process;
the rows that say what is unfinished are never lost.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import FindMeError
from libs.common.messaging.bus.protocol import Bus
from libs.common.messaging.bus.topology import (
    PHOTOS_AHEAD,
    Queue,
    Topology,
    bucket_of,
    bulk_bucket_of,
)
from libs.common.messaging.messages import (
    PhotoAnalyzed,
    PhotoUploaded,
    SelfieUnindexed,
    SelfieUploaded,
)
from libs.common.telemetry import tracing
from services.recognition import metrics
from services.recognition.recovery import repository
from services.recognition.recovery.repository import Ages, CameThrough, LostPhoto, LostSelfie
from services.recognition.recovery.rules import Queued, lost_before

log = structlog.get_logger(__name__)

#: Photos, or selfies, published again by one transaction.
BATCH = 1000

#: Up to which moment the work of an event is lost, by the topic of its message.
Lost = Mapping[str, Mapping[int, datetime]]
_STATUS_OF = {PhotoUploaded.topic: "queued", PhotoAnalyzed.topic: "analyzed"}


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many messages of unfinished work were published again."""

    photos: int = 0
    selfies: int = 0


@dataclass(frozen=True, slots=True)
class Reconciler:
    """One in each replica, of which one leads and the others stand by.

    Two that both believe to lead, for a moment, do the same twice: that is harmless.
    """

    database: Database
    bus: Bus
    topology: Topology
    #: Whether this replica is the one that reconciles.
    leads: Callable[[], bool]
    #: Younger work is not looked at.
    older_than_seconds: float
    every_seconds: float

    async def run(self) -> NoReturn:
        """Reconcile on a timer until cancelled."""
        for kind in ("photo", "selfie"):
            metrics.REPUBLISHED.labels(kind)  # there before anything is lost
        while True:
            try:
                if self.leads():
                    await self.reconcile()
            except (FindMeError, *DATABASE_ERRORS) as error:
                log.warning("reconcile_failed", error=error)
            await asyncio.sleep(self.every_seconds)

    async def reconcile(self) -> Reconciled:
        """Publish again what is known to be lost; what waits in a queue is not.

        Raises BusUnavailable.
        """
        async with self.database.scan() as connection:
            ages = await repository.ages(
                connection,
                older_than_seconds=self.older_than_seconds,
                retry_seconds=max(
                    queue.retry.delays_seconds[-1] for queue in self.topology.analyze
                ),
            )
            old = await _events_with_old_work(connection, ages)
            few_queued = await repository.events_with_few_queued(
                connection, old[PhotoUploaded.topic], most=PHOTOS_AHEAD
            )
            in_outbox = await repository.not_published_yet(connection)
        # Others may scan while the broker is asked, which may take long.
        lost = await self._lost(old, ages, in_outbox, few_queued=few_queued)
        return await self._republish(lost, ages)

    async def republish_all(self) -> Reconciled:
        """Publish all unfinished work again, where the bus forgot it with its process."""
        async with self.database.scan() as connection:
            ages = await repository.ages(connection, older_than_seconds=0, retry_seconds=0)
            old = await _events_with_old_work(connection, ages)
        everything = {
            topic: dict.fromkeys(event_ids, ages.cutoff) for topic, event_ids in old.items()
        }
        return await self._republish(everything, ages)

    async def _lost(
        self,
        old: Mapping[str, list[int]],
        ages: Ages,
        in_outbox: Mapping[str, int],
        *,
        few_queued: AbstractSet[int],
    ) -> Lost:
        """Say of each topic and event up to when its old work is lost."""
        keys = {
            (topic, event_id): _routing_keys(topic, event_id, is_ahead=event_id in few_queued)
            for topic, event_ids in old.items()
            for event_id in event_ids
        }
        if not keys:
            return {}
        wanted = set[str]().union(*keys.values())
        queues = [queue for queue in self.topology.queues if wanted & {*queue.bindings}]
        in_queue = await self.bus.waiting(queues)
        waiting = {
            queue.name: sum(in_outbox.get(key, 0) for key in queue.bindings) + in_queue[queue.name]
            for queue in queues
        }
        through = await self._read_came_through() if any(waiting.values()) else []
        lost: dict[str, dict[int, datetime]] = {}
        for (topic, event_id), its_keys in keys.items():
            its_queues = [queue for queue in queues if its_keys & {*queue.bindings}]
            known = Queued(
                sum(waiting[queue.name] for queue in its_queues),
                _came_through(topic, event_id, its_queues, through),
            )
            if (moment := lost_before(known, ages.cutoff)) is not None:
                lost.setdefault(topic, {})[event_id] = moment
        return lost

    async def _read_came_through(self) -> list[CameThrough]:
        async with self.database.scan() as connection:
            return await repository.came_through(connection)

    async def _republish(self, lost: Lost, ages: Ages) -> Reconciled:
        photos = selfies = 0
        for topic, before in lost.items():
            if topic == SelfieUploaded.topic:
                while batch := await self._selfies(before):
                    selfies += batch
            else:
                while batch := await self._photos(topic, before, ages):
                    photos += batch
        if photos or selfies:
            log.info("unfinished_work_published_again", photos=photos, selfies=selfies)
        return Reconciled(photos=photos, selfies=selfies)

    async def _photos(self, topic: str, before: Mapping[int, datetime], ages: Ages) -> int:
        photos: list[LostPhoto] = []
        async for attempt in self.database.attempts(patient=True):
            async with attempt as unit:
                photos = await repository.take_lost_photos(
                    unit.connection, _STATUS_OF[topic], before, ages, limit=BATCH
                )
                sent: Counter[int] = Counter()
                for photo in photos:
                    with _one_at_a_time(photo_id=photo.id):
                        in_bulk = sent[photo.event_id] >= PHOTOS_AHEAD
                        _publish_photo(photo, topic, unit, in_bulk=in_bulk)
                    sent[photo.event_id] += 1
        metrics.REPUBLISHED.labels("photo").inc(len(photos))
        return len(photos)

    async def _selfies(self, before: Mapping[int, datetime]) -> int:
        selfies: list[LostSelfie] = []
        async for attempt in self.database.attempts(patient=True):
            async with attempt as unit:
                selfies = await repository.take_lost_selfies(unit.connection, before, limit=BATCH)
                for selfie in selfies:
                    with _one_at_a_time(selfie_id=selfie.id):
                        _publish_selfie(selfie, unit)
        metrics.REPUBLISHED.labels("selfie").inc(len(selfies))
        return len(selfies)


async def _events_with_old_work(connection: AsyncConnection, ages: Ages) -> dict[str, list[int]]:
    return {
        **{
            topic: await repository.events_with_old_photos(connection, status, ages)
            for topic, status in _STATUS_OF.items()
        },
        SelfieUploaded.topic: await repository.events_with_old_selfies(connection, ages),
    }


def _routing_keys(topic: str, event_id: int, *, is_ahead: bool) -> set[str]:
    """By which of the event's work may be on its way.

    Photos of an event that has few are `is_ahead`: those in bulk of others say nothing of them.
    Where it had many, the last may wait in bulk all the same: they are sent twice, and analysed
    once.
    """
    buckets = [bucket_of(event_id)]
    if topic == PhotoUploaded.topic and not is_ahead:
        buckets.append(bulk_bucket_of(event_id))
    # A selfie's partition may have passed it on.
    topics = [topic, SelfieUnindexed.topic] if topic == SelfieUploaded.topic else [topic]
    return {f"{one}.{bucket:02d}" for one in topics for bucket in buckets}


def _came_through(
    topic: str, event_id: int, queues: Sequence[Queue], events: Sequence[CameThrough]
) -> datetime | None:
    """When the latest message was sent that has come through, of those that keep an order.

    In a match partition all do. A photo may go by either of two lanes, in which others' photos pass
    it: of its own event's, only some few of the last do.
    """
    if topic == PhotoUploaded.topic:
        return next((event.analyzed for event in events if event.event_id == event_id), None)
    moments = [
        moment
        for event in events
        for queue in queues
        if (moment := event.matched) is not None
        and f"{PhotoAnalyzed.topic}.{bucket_of(event.event_id):02d}" in queue.bindings
    ]
    return max(moments, default=None)


@contextmanager
def _one_at_a_time(**about: int) -> Iterator[None]:
    """What cannot be published must not keep back what comes after it."""
    try:
        yield
    except Exception:
        log.exception("not_published_again", **about)


def _publish_photo(photo: LostPhoto, topic: str, unit: UnitOfWork, *, in_bulk: bool) -> None:
    message: PhotoUploaded | PhotoAnalyzed = (
        PhotoUploaded(event_id=photo.event_id, photo_id=photo.id, in_bulk=in_bulk)
        if topic == PhotoUploaded.topic
        else PhotoAnalyzed(event_id=photo.event_id, photo_id=photo.id)
    )
    trace = {tracing.TRACEPARENT: photo.traceparent} if photo.traceparent else {}
    with tracing.continued(
        "republish", trace, pending=unit.spans, event_id=photo.event_id, photo_id=photo.id
    ):
        unit.publish(message)


def _publish_selfie(selfie: LostSelfie, unit: UnitOfWork) -> None:
    unit.publish(
        SelfieUploaded(event_id=selfie.event_id, user_id=selfie.user_id, selfie_id=selfie.id)
    )
