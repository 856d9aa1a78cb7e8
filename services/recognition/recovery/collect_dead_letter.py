"""Keep a message that was given up where operators find it."""

from functools import partial

import structlog
from prometheus_client import Counter
from pydantic import ValidationError

from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.messaging.bus.protocol import Bus, Death, Delivery
from libs.common.messaging.bus.subscriptions import LastingSubscription
from libs.common.messaging.bus.topology import Topology
from libs.common.messaging.dead_letters import repository as dead_letters
from libs.common.messaging.messages import (
    PhotoAnalyzed,
    PhotoFailed,
    PhotoUploaded,
    SelfieMatched,
    SelfieUnindexed,
    SelfieUploaded,
)
from libs.common.telemetry import metrics as common_metrics
from services.recognition import metrics
from services.recognition.photos import repository
from services.recognition.photos.analyze_photo import LOST_REASON
from services.recognition.selfies import repository as selfie_repository

log = structlog.get_logger(__name__)

SELFIE_REASON = (
    "The selfie cannot be processed: the service broke down every time it tried. Send another one."
)


async def collecting(bus: Bus, topology: Topology, database: Database) -> LastingSubscription:
    """Begin to collect the dead letters of all services."""

    async def handle(delivery: Delivery) -> None:
        await collect_dead_letter(delivery, database=database)

    for queue in topology.queues:
        # There from the start: of a counter that appears with letters, no rate shows them.
        common_metrics.DEAD_LETTERS_COLLECTED.labels(queue.name)
        common_metrics.DEAD_LETTERS.labels(queue.name)
    return await LastingSubscription.begin(partial(bus.subscribe, topology.dead_letters, handle))


async def collect_dead_letter(message: Delivery, *, database: Database) -> None:
    """Store the letter; a letter that is there already changes nothing.

    A handler that gives up has marked its photo or selfie failed before. Where every attempt
    ended with its process, nobody has, and the reconciler would send the poison out again for
    ever: so that is done here.
    """
    death = message.death or Death(message.queue, "unknown", message.attempt)
    is_new = False
    closed: Counter | None = None
    async for attempt in database.attempts():
        async with attempt as unit:
            is_new = await dead_letters.add(unit.connection, message, death)
            if is_new and death.crashed:
                closed = await _close(message, unit)
    if not is_new:
        return
    if closed is not None:
        closed.inc()
    common_metrics.DEAD_LETTERS_COLLECTED.labels(death.queue).inc()
    log.warning(
        "dead_letter_collected",
        queue=death.queue,
        routing_key=message.routing_key,
        message_id=message.message_id,
        attempts=death.attempts,
        reason=death.reason,
    )


async def _close(message: Delivery, unit: UnitOfWork) -> Counter | None:
    """Fail the message's photo or selfie; return what counts that, once it is committed."""
    topic, _, _ = message.routing_key.rpartition(".")
    try:
        match topic:
            case PhotoUploaded.topic:
                return await _close_photo(PhotoUploaded.decode(message.body), "queued", unit)
            case PhotoAnalyzed.topic:
                return await _close_photo(PhotoAnalyzed.decode(message.body), "analyzed", unit)
            case SelfieUploaded.topic:
                return await _close_selfie(SelfieUploaded.decode(message.body), unit)
            case SelfieUnindexed.topic:
                return await _close_selfie(SelfieUnindexed.decode(message.body), unit)
    except ValidationError:
        pass  # whatever it is, it is about no photo and no selfie
    return None


async def _close_photo(
    message: PhotoUploaded | PhotoAnalyzed, status: str, unit: UnitOfWork
) -> Counter | None:
    if not await repository.mark_photo_failed(
        unit.connection, message.photo_id, LOST_REASON, status=status
    ):
        return None
    unit.publish(
        PhotoFailed(event_id=message.event_id, photo_id=message.photo_id, reason=LOST_REASON)
    )
    return metrics.PHOTOS.labels("failed")


async def _close_selfie(
    message: SelfieUploaded | SelfieUnindexed, unit: UnitOfWork
) -> Counter | None:
    if not await selfie_repository.give_up_selfie(
        unit.connection,
        selfie_id=message.selfie_id,
        event_id=message.event_id,
        error=SELFIE_REASON,
    ):
        return None
    unit.publish(
        SelfieMatched(
            event_id=message.event_id,
            user_id=message.user_id,
            selfie_id=message.selfie_id,
            matched=0,
        )
    )
    return metrics.SELFIES_INDEXED.labels("failed")
