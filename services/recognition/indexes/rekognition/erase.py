"""Deletes faces and collections at the service whose rows are gone.

Also where another engine is at work by now: what Rekognition still has of earlier days goes.
"""

import asyncio
from collections.abc import Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from typing import NoReturn

import structlog
from cachetools import TTLCache

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.errors import FindMeError
from services.recognition import metrics
from services.recognition.erasure import repository as removals
from services.recognition.indexes.rekognition.client import (
    CollectionMissing,
    InputRefused,
    Rekognition,
)
from services.recognition.indexes.rekognition.collections import Collections

#: How long a deleted face may stay before it is looked for.
ERASE_EVERY_SECONDS = 1.0
#: While the service refuses, so long at most.
LONGEST_PAUSE_SECONDS = 60.0
#: How often is looked where another engine is at work.
LOOK_EVERY_SECONDS = 5.0
#: For so long an event is left out whose deletion the service refused for its own sake.
REFUSED_SECONDS = 600.0
REFUSED_EVENTS_KEPT = 10_000

log = structlog.get_logger(__name__)


async def keep_erasing(
    database: Database, rekognition: Rekognition, collections: Collections
) -> None:
    """Erase on a timer until cancelled."""
    pause = ERASE_EVERY_SECONDS
    refused = _refused_events()
    while True:
        try:
            while await erase_some(database, rekognition, collections, refused=refused):
                pass
            pause = ERASE_EVERY_SECONDS
        except (FindMeError, *DATABASE_ERRORS) as error:
            log.warning("erasing_failed", error=error)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause)


async def keep_erasing_what_is_left(
    database: Database,
    connect: Callable[[], AbstractAsyncContextManager[tuple[Rekognition, Collections]]],
) -> NoReturn:
    """Erase on a timer until cancelled, where another engine is at work.

    Connects only when there is something to erase: most installations never have.
    """
    pause = LOOK_EVERY_SECONDS
    refused = _refused_events()
    while True:
        try:
            async with database.read() as connection:
                left = await removals.left_behind(connection)
            if left:
                async with connect() as (rekognition, collections):
                    while await erase_some(
                        database, rekognition, collections, refused=refused, is_left=True
                    ):
                        pass
            pause = LOOK_EVERY_SECONDS
        except (FindMeError, *DATABASE_ERRORS) as error:
            log.warning(
                "erasing_failed",
                error=error,
                hint="Rekognition has faces of an earlier time that must be deleted there. Give"
                " this service the credentials that it had when it used Rekognition.",
            )
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause)


async def erase_some(
    database: Database,
    rekognition: Rekognition,
    collections: Collections,
    *,
    refused: MutableMapping[int, bool],
    is_left: bool = False,
) -> bool:
    """Delete one ended event's collection, or up to 4,096 faces; False when there are none.

    With `is_left` also the collection of an event that has no faces there any more. The rows
    stay locked meanwhile, so that other replicas take others, and go only when the service
    has confirmed. An event of which it refuses the deletion is added to `refused`, whose
    events are left out.
    """
    async with database.unit_of_work(patient=True) as unit:
        event_id = await removals.take_ended_event(unit.connection, without=refused)
        if event_id is None and is_left:
            event_id = await removals.take_emptied_event(unit.connection, without=refused)
        if event_id is not None:
            try:
                await rekognition.delete_collection(event_id, collections.name(event_id))
            except InputRefused as error:
                _set_aside(event_id, refused, error)
                return True
            await removals.remove_event(unit.connection, event_id)
            metrics.ERASED.labels("event").inc()
            return True
        taken = await removals.take(unit.connection, without=refused)
        if taken is None:
            return False
        try:
            await rekognition.delete_faces(
                taken.event_id, collections.name(taken.event_id), taken.face_ids
            )
        except CollectionMissing:
            log.info("erased_with_their_collection", event_id=taken.event_id)
        except InputRefused as error:
            _set_aside(taken.event_id, refused, error)
            return True
        await removals.remove(unit.connection, taken.ids)
        metrics.ERASED.labels("face").inc(len(taken.face_ids))
        return True


def _refused_events() -> TTLCache[int, bool]:
    return TTLCache(REFUSED_EVENTS_KEPT, REFUSED_SECONDS)


def _set_aside(event_id: int, refused: MutableMapping[int, bool], error: InputRefused) -> None:
    """Leave the event out for a while: the others are erased meanwhile."""
    refused[event_id] = True
    log.error(
        "erasing_refused",
        event_id=event_id,
        error=error,
        again_in_seconds=REFUSED_SECONDS,
    )
