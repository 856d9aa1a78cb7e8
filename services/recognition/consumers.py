"""Decode a message, call its use case; the bus settles it by what that returns or raises."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from libs.common.background import BackgroundTasks
from libs.common.database.connections import DatabaseUnavailable
from libs.common.database.sqlstates import is_away
from libs.common.errors import PermanentError, Unavailable
from libs.common.exhaustion import Exhausted, lacks
from libs.common.messaging.bus.protocol import Batches, Bus, Delivery, Intake, Subscription
from libs.common.messaging.bus.subscriptions import LastingSubscription, stop_all
from libs.common.messaging.bus.topology import Topology
from libs.common.messaging.messages import (
    EventDeleted,
    PhotoAnalyzed,
    PhotoDeleted,
    PhotoUploaded,
    RematchRequested,
    SelfieDeleted,
    SelfieUnindexed,
    SelfieUploaded,
)
from libs.common.web.stopping import Stopping
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.matching.match import match_photos, rematch_event
from services.recognition.partitions.owner import PartitionOwner
from services.recognition.photos.analyze_photo import Analyzer, analyze_photo
from services.recognition.rekognition_rounds.rounds import Rounds
from services.recognition.selfies.index_selfie import SelfieIndexer, find_selfie, match_selfie

#: What every replica forgets, whoever owns the event's partition now.
FORGOTTEN = tuple(f"{kind.topic}.*" for kind in (SelfieDeleted, PhotoDeleted, EventDeleted))


class Consumers:
    """The handlers of the analyze lanes, with their selfies, and the match partitions."""

    def __init__(
        self,
        topology: Topology,
        analyzer: Analyzer,
        indexer: SelfieIndexer,
        rounds: Rounds | None = None,
    ) -> None:
        """With `rounds`, photos and selfies are matched together rather than one by one."""
        self._topology = topology
        self._analyzer = analyzer
        self._indexer = indexer
        self._rounds = rounds
        self._by_topic: dict[str, Callable[[Delivery], Awaitable[None]]] = {
            PhotoAnalyzed.topic: self._photo_analyzed,
            SelfieUploaded.topic: self._selfie_uploaded,
            SelfieDeleted.topic: self._selfie_deleted,
            RematchRequested.topic: self._rematch_requested,
        }

    async def analyze(self, delivery: Delivery) -> None:
        """Handle a message of an analyze lane, or of the selfies beside them."""
        last_attempt = delivery.attempt >= self._topology.analyze[0].retry.max_attempts
        with _waiting():
            if delivery.topic == SelfieUnindexed.topic:
                await find_selfie(
                    SelfieUnindexed.decode(delivery.body),
                    last_attempt=last_attempt,
                    using=self._indexer,
                )
                return
            await analyze_photo(
                PhotoUploaded.decode(delivery.body),
                delivery_attempt=delivery.attempt,
                last_attempt=last_attempt,
                is_repeat=delivery.is_repeat,
                using=self._analyzer,
            )

    async def match(self, delivery: Delivery) -> None:
        """Handle a message of a match partition."""
        handler = self._by_topic.get(delivery.topic)
        if handler is None:
            msg = f"no handler for {delivery.routing_key}"
            raise PermanentError(msg)
        with _waiting():
            await handler(delivery)

    @property
    def photos_together(self) -> Batches:
        """How photos are handled that wait in a match partition next to each other."""
        return Batches(PhotoAnalyzed.topic, self._photos_analyzed)

    async def _photo_analyzed(self, delivery: Delivery) -> None:
        await self._match_photos([PhotoAnalyzed.decode(delivery.body)])

    async def _photos_analyzed(self, deliveries: Sequence[Delivery]) -> None:
        await self._match_photos([PhotoAnalyzed.decode(delivery.body) for delivery in deliveries])

    async def _match_photos(self, messages: Sequence[PhotoAnalyzed]) -> None:
        if self._rounds is not None:
            await self._rounds.photos_analyzed(messages)
        else:
            await match_photos(messages, using=self._indexer.matcher)

    async def _selfie_uploaded(self, delivery: Delivery) -> None:
        message = SelfieUploaded.decode(delivery.body)
        if self._rounds is not None:
            await self._rounds.selfie_uploaded(message)
        else:
            await match_selfie(message, using=self._indexer)

    async def _selfie_deleted(self, delivery: Delivery) -> None:
        message = SelfieDeleted.decode(delivery.body)
        self._indexer.matcher.index.forget(message.event_id, message.selfie_id)

    async def _rematch_requested(self, delivery: Delivery) -> None:
        await rematch_event(RematchRequested.decode(delivery.body), using=self._indexer.matcher)


@contextmanager
def _waiting() -> Iterator[None]:
    """No message is to blame for a full disk, or for a database that is away."""
    try:
        yield
    except Unavailable:
        raise
    except Exception as error:
        if (what := lacks(error)) is not None:
            raise Exhausted(what) from error
        if is_away(error):
            raise DatabaseUnavailable(f"The database is away: {error}") from error
        raise


@dataclass(frozen=True, slots=True)
class _InOrder:
    """Intakes that stop one after the other: rounds end before another replica's begin."""

    intakes: Sequence[Intake]

    async def stop(self) -> None:
        for intake in self.intakes:
            await intake.stop()


@asynccontextmanager
async def consuming(
    bus: Bus,
    topology: Topology,
    consumers: Consumers,
    *,
    photos_at_once: int,
    partitions: PartitionOwner,
    rounds: Rounds | None,
    background: BackgroundTasks,
    stopping: Stopping,
) -> AsyncIterator[None]:
    """Consume every lane, and this replica's share of the partitions, for the block's length.

    Ends earlier when the service begins to stop.
    """
    running: list[Intake] = []

    async def stop() -> None:
        to_stop, running[:] = running[:], []
        await stop_all(to_stop)

    try:
        # One by one, so that those that run are stopped when a later one fails.
        for lane in topology.analyze:
            # An event is in one lane: with one message at a time, a single hot event would keep
            # one worker busy. So as many as are analysed, as many that are fetched meanwhile,
            # and one whose faces are committed and acked (of 15 photos/s possible with 3 workers
            # and photos at hand: with 1 per lane 4.8, with 3 13.1, with 4 14.4).
            queue = replace(lane, prefetch=2 * photos_at_once + 1)
            subscription = await LastingSubscription.begin(
                partial(bus.subscribe, queue, consumers.analyze)
            )
            running.append(subscription)
            background.start(f"lane {lane.name}", subscription.run)
        background.start(
            "match partitions",
            partial(partitions.run, consumers.match, consumers.photos_together),
        )
        running.append(partitions)
        if rounds is not None:
            background.start("match events", rounds.tasks.run)
            running[-1] = _InOrder((rounds.tasks, partitions))
        stopping.first(stop)
        yield
    finally:
        await stop()


async def forgetting(bus: Bus, index: FaceIndex) -> LastingSubscription:
    """Drop what was deleted from the index's memory; after a gap nothing in it is trusted."""

    async def handle(delivery: Delivery) -> None:
        if delivery.topic == EventDeleted.topic:
            index.forget(EventDeleted.decode(delivery.body).event_id)
        elif delivery.topic == PhotoDeleted.topic:
            photo = PhotoDeleted.decode(delivery.body)
            index.forget_photo(photo.event_id, photo.photo_id)
        else:
            message = SelfieDeleted.decode(delivery.body)
            index.forget(message.event_id, message.selfie_id)

    async def on_gap() -> None:
        index.forget_all()

    async def listen() -> Subscription:
        subscription = await bus.listen(FORGOTTEN, handle, on_gap=on_gap)
        # Until now nobody listened.
        index.forget_all()
        return subscription

    return await LastingSubscription.begin(listen)
