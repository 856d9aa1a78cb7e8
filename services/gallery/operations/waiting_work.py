"""The gauges of what waits for recognition, and of mails.

They are the gallery's, as recognition cannot tell how long guests wait while it is away.
"""

import asyncio
import time
from typing import NoReturn

import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.telemetry.questions import Question
from services.gallery import metrics
from services.gallery.mail.queue import mails_waiting
from services.gallery.operations import repository as operations

WATCH_EVERY_SECONDS = 10.0
#: The queries grow with what waits; they may take up to this part of the time.
MAX_LOAD = 0.05

log = structlog.get_logger(__name__)


async def watch_waiting_work(
    database: Database, *, every_seconds: float = WATCH_EVERY_SECONDS
) -> NoReturn:
    """Keep the gauges current until cancelled."""
    question = Question("waiting work")
    while True:
        started = time.monotonic()
        pause = every_seconds
        try:
            async with database.read(patient=True) as connection:
                values = await _look(connection)
            pause = max(every_seconds, (time.monotonic() - started) / MAX_LOAD)
            question.answer(values, again_in_seconds=pause)
        except DATABASE_ERRORS as error:
            log.warning("waiting_work_unknown", error=error)
        await asyncio.sleep(pause)


async def _look(connection: AsyncConnection) -> dict[Gauge, float]:
    values: dict[Gauge, float] = {}
    for status, photos in (await operations.photos_waiting(connection)).items():
        values[metrics.PHOTOS_WAITING.labels(status)] = photos.count
        values[metrics.PHOTOS_OLDEST.labels(status)] = photos.oldest_seconds
    selfies = await operations.selfies_waiting(connection)
    faces, ended_events = await operations.erasures_waiting(connection)
    mails = await mails_waiting(connection)
    return values | {
        metrics.SELFIES_WAITING: selfies.count,
        metrics.SELFIES_OLDEST: selfies.oldest_seconds,
        metrics.ERASURES_WAITING.labels("face"): faces.count,
        metrics.ERASURES_WAITING.labels("event"): ended_events,
        metrics.ERASURE_OLDEST: faces.oldest_seconds,
        metrics.MAILS_WAITING: mails.waiting,
        metrics.MAILS_OLDEST: mails.oldest_seconds,
        metrics.MAILS_DEAD: mails.dead,
        metrics.DATABASE_BYTES: await operations.database_bytes(connection),
    }
