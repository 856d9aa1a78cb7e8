"""Finds work whose message was lost and publishes it again.

The broker may lose a message, and the bus in process loses all of them with its process;
the rows that say what is unfinished are never lost.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from libs.common.database.database import Database
from libs.common.messaging.messages import PhotoAnalyzed, PhotoUploaded, SelfieUploaded
from libs.common.telemetry import tracing
from services.recognition import metrics

log = structlog.get_logger(__name__)

#: Rows republished by one transaction.
BATCH = 1000

_PHOTOS = text(
    """
    UPDATE photos SET enqueued_at = clock_timestamp() WHERE id IN (
        SELECT id FROM photos
        WHERE processing_status IN ('queued', 'analyzed')
          AND enqueued_at <= :cutoff
        ORDER BY enqueued_at LIMIT :batch FOR UPDATE SKIP LOCKED)
    RETURNING id, event_id, processing_status, traceparent
    """
)
_SELFIES = text(
    """
    WITH unfinished AS (
        SELECT s.id, m.event_id
        FROM selfies s JOIN memberships m ON m.user_id = s.user_id
        LEFT JOIN selfie_indexes i ON i.selfie_id = s.id AND i.event_id = m.event_id
        WHERE (i.status IS NULL OR i.status IN ('claimed', 'indexed'))
          AND greatest(s.enqueued_at, m.joined_at) <= :cutoff
        ORDER BY s.id LIMIT :batch)
    , marked AS (
        UPDATE selfies SET enqueued_at = clock_timestamp()
        WHERE id IN (SELECT id FROM unfinished)
        RETURNING id, user_id)
    SELECT marked.id, unfinished.event_id, marked.user_id
    FROM marked JOIN unfinished USING (id)
    """
)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How much unfinished work was published again."""

    photos: int
    selfies: int


async def reconcile(database: Database, *, older_than_seconds: float) -> Reconciled:
    """Publish again every photo and selfie that has waited longer than this."""
    async with database.read() as connection:
        cutoff: datetime | None = await connection.scalar(
            text("SELECT now() - make_interval(secs => :age)"), {"age": older_than_seconds}
        )
    photos = selfies = 0
    while batch := await _photos(database, cutoff):
        photos += batch
    while batch := await _selfies(database, cutoff):
        selfies += batch
    if photos or selfies:
        log.info("unfinished_work_published_again", photos=photos, selfies=selfies)
    return Reconciled(photos=photos, selfies=selfies)


async def keep_reconciling(
    database: Database, *, older_than_seconds: float, every_seconds: float
) -> None:
    """Reconcile on a timer until cancelled."""
    while True:
        await asyncio.sleep(every_seconds)
        try:
            await reconcile(database, older_than_seconds=older_than_seconds)
        except (SQLAlchemyError, OSError) as error:
            log.warning("reconcile_failed", error=str(error))


async def _photos(database: Database, cutoff: datetime | None) -> int:
    async with database.unit_of_work() as unit:
        rows = (await unit.connection.execute(_PHOTOS, {"cutoff": cutoff, "batch": BATCH})).all()
        for row in rows:
            kind: type[PhotoUploaded | PhotoAnalyzed] = (
                PhotoUploaded if row.processing_status == "queued" else PhotoAnalyzed
            )
            trace = {tracing.TRACEPARENT: row.traceparent} if row.traceparent else {}
            with tracing.continued("republish", trace, event_id=row.event_id, photo_id=row.id):
                unit.publish(kind(event_id=row.event_id, photo_id=row.id))
    metrics.REPUBLISHED.labels("photo").inc(len(rows))
    return len(rows)


async def _selfies(database: Database, cutoff: datetime | None) -> int:
    async with database.unit_of_work() as unit:
        rows = (await unit.connection.execute(_SELFIES, {"cutoff": cutoff, "batch": BATCH})).all()
        for row in rows:
            unit.publish(
                SelfieUploaded(event_id=row.event_id, user_id=row.user_id, selfie_id=row.id)
            )
    metrics.REPUBLISHED.labels("selfie").inc(len(rows))
    return len(rows)
