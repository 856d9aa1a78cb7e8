"""Uploads that can be asked after: noted once all files are safe, told from their photos' rows.

Nothing of a job lives in a process: its photos are rows with their messages in the outbox, so any
replica can tell of it, after any restart.
"""

import asyncio
import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import NoReturn

import structlog

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.errors import FindMeError, NotFound
from libs.common.web.auth import Principal, Role
from services.ingest.photos.outcomes import Outcome, Rejected
from services.ingest.photos.store_photo import Kept
from services.ingest.upload_jobs import repository as jobs
from services.ingest.upload_jobs.repository import UploadJob
from services.ingest.upload_jobs.rules import MAX_ERRORS, Progress, error_line, progress

#: Nobody asks after an upload for longer.
KEPT = timedelta(days=30)
SWEEP_EVERY_SECONDS = 3600.0
SWEPT_AT_ONCE = 1000

log = structlog.get_logger(__name__)


async def note_job(
    outcomes: Sequence[Outcome], event_id: int, principal: Principal, *, database: Database
) -> str:
    """Return the new job's id. Raises NotFound when the event is gone."""
    job_id = str(uuid.uuid4())
    rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
    values = {
        "id": job_id,
        "event_id": event_id,
        "photographer_id": principal.user_id,
        "photo_ids": [outcome.photo_id for outcome in outcomes if isinstance(outcome, Kept)],
        "refused": len(rejected),
        "errors": [error_line(one.name, one.reason) for one in rejected[:MAX_ERRORS]],
    }
    async for attempt in database.attempts():
        async with attempt as unit:
            await jobs.add_job(unit.connection, values)
    return job_id


async def job_status(
    job_id: str, principal: Principal, *, database: Database
) -> tuple[UploadJob, Progress]:
    """Return a job and how far it is. Raises NotFound."""
    asked_by = None if principal.role is Role.ADMIN else principal.user_id
    async with database.read() as connection:
        job = await jobs.find_job(connection, job_id, asked_by=asked_by)
        if job is None or principal.only_event_id not in (None, job.event_id):
            raise NotFound("Upload job", job_id)
        photos = await jobs.find_photos(connection, job.photo_ids)
    return job, progress(
        job.photo_ids,
        photos,
        refused=job.refused,
        errors=job.errors,
        started_at=job.started_at,
    )


async def sweep(database: Database) -> int:
    """Delete the jobs that are too old; return how many."""
    swept = 0
    while True:
        async with database.unit_of_work() as unit:
            some = await jobs.delete_old_jobs(unit.connection, older_than=KEPT, limit=SWEPT_AT_ONCE)
        swept += some
        if some < SWEPT_AT_ONCE:
            return swept


async def sweeping(database: Database) -> NoReturn:
    """Sweep every hour until cancelled; of several replicas each may."""
    while True:
        await asyncio.sleep(random.uniform(0.5, 1.5) * SWEEP_EVERY_SECONDS)  # noqa: S311 - no secret
        try:
            if swept := await sweep(database):
                log.info("upload_jobs_swept", jobs=swept)
        except (*DATABASE_ERRORS, FindMeError) as error:
            log.warning("upload_jobs_not_swept", kind=type(error).__name__)
