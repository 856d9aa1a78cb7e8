"""The gauges of what waits for recognition.

They are the gallery's, as recognition cannot tell how long guests wait while it is away.
"""

import asyncio
import time
from typing import NoReturn

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from services.gallery import metrics
from services.gallery.operations import repository as operations

WATCH_EVERY_SECONDS = 10.0
#: The queries grow with what waits; they may take up to this part of the time.
MAX_LOAD = 0.05

log = structlog.get_logger(__name__)


async def watch_waiting_work(
    database: Database, *, every_seconds: float = WATCH_EVERY_SECONDS
) -> NoReturn:
    """Keep the gauges current until cancelled."""
    while True:
        started = time.monotonic()
        try:
            async with database.read() as connection:
                await _look(connection)
        except (SQLAlchemyError, OSError) as error:
            log.warning("waiting_work_unknown", error=str(error))
        await asyncio.sleep(max(every_seconds, (time.monotonic() - started) / MAX_LOAD))


async def _look(connection: AsyncConnection) -> None:
    for status, photos in (await operations.photos_waiting(connection)).items():
        metrics.PHOTOS_WAITING.labels(status).set(photos.count)
        metrics.PHOTOS_OLDEST.labels(status).set(photos.oldest_seconds)
    selfies = await operations.selfies_waiting(connection)
    metrics.SELFIES_WAITING.set(selfies.count)
    metrics.SELFIES_OLDEST.set(selfies.oldest_seconds)
    faces, ended_events = await operations.erasures_waiting(connection)
    metrics.ERASURES_WAITING.labels("face").set(faces.count)
    metrics.ERASURES_WAITING.labels("event").set(ended_events)
    metrics.ERASURE_OLDEST.set(faces.oldest_seconds)
    metrics.DATABASE_BYTES.set(await operations.database_bytes(connection))
