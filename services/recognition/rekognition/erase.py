"""Deletes faces and collections at the service whose rows are gone."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from libs.common.database import Database
from libs.common.errors import FindMeError
from services.recognition import metrics, removals
from services.recognition.rekognition.collections import Collections
from services.recognition.rekognition.service import CollectionMissing, Rekognition

#: How long a deleted face may stay before it is looked for.
ERASE_EVERY_SECONDS = 1.0

log = structlog.get_logger(__name__)


async def keep_erasing(
    database: Database, rekognition: Rekognition, collections: Collections
) -> None:
    """Erase on a timer until cancelled."""
    while True:
        try:
            while await erase_some(database, rekognition, collections):
                pass
        except (FindMeError, SQLAlchemyError, OSError) as error:
            log.warning("erasing_failed", error=str(error))
        await asyncio.sleep(ERASE_EVERY_SECONDS)


async def erase_some(
    database: Database, rekognition: Rekognition, collections: Collections
) -> bool:
    """Delete one ended event's collection, or up to 4,096 faces; False when there are none.

    The rows stay locked meanwhile, so that other replicas take others, and go only when the
    service has confirmed.
    """
    async with database.unit_of_work() as unit:
        event_id = await removals.take_ended_event(unit.connection)
        if event_id is not None:
            await rekognition.delete_collection(event_id, collections.name(event_id))
            await removals.remove_event(unit.connection, event_id)
            metrics.ERASED.labels("event").inc()
            return True
        taken = await removals.take(unit.connection)
        if taken is None:
            return False
        try:
            await rekognition.delete_faces(
                taken.event_id, collections.name(taken.event_id), taken.face_ids
            )
        except CollectionMissing:
            log.info("erased_with_their_collection", event_id=taken.event_id)
        await removals.remove(unit.connection, taken.ids)
        metrics.ERASED.labels("face").inc(len(taken.face_ids))
        return True
