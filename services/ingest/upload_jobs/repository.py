"""SQL of upload jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, photos, upload_jobs
from services.ingest.upload_jobs.rules import JobPhoto


@dataclass(frozen=True, slots=True)
class UploadJob:
    """An upload, and the photos that its files became."""

    id: str
    event_id: int
    photographer_id: int | None
    photo_ids: list[int]
    refused: int
    errors: list[str]
    started_at: datetime


async def add_job(connection: AsyncConnection, values: Mapping[str, object]) -> None:
    """Insert the row."""
    await connection.execute(insert(upload_jobs).values(dict(values)))


async def find_job(
    connection: AsyncConnection, job_id: str, *, asked_by: int | None
) -> UploadJob | None:
    """Return the job if it is the asking photographer's, or of an event of theirs.

    Nobody's id stands for an admin, who may ask for all.
    """
    query = (
        select(
            upload_jobs.c.id,
            upload_jobs.c.event_id,
            upload_jobs.c.photographer_id,
            upload_jobs.c.photo_ids,
            upload_jobs.c.refused,
            upload_jobs.c.errors,
            upload_jobs.c.started_at,
        )
        .join(events, events.c.id == upload_jobs.c.event_id)
        .where(upload_jobs.c.id == job_id)
    )
    if asked_by is not None:
        query = query.where(
            or_(upload_jobs.c.photographer_id == asked_by, events.c.photographer_id == asked_by)
        )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else UploadJob(**row._asdict())


async def find_photos(connection: AsyncConnection, photo_ids: Sequence[int]) -> dict[int, JobPhoto]:
    """Return what is known of those photos that are there, by id."""
    rows = await connection.execute(
        select(
            photos.c.id,
            photos.c.original_filename,
            photos.c.finished_at,
            photos.c.processing_status,
            photos.c.processing_error,
        ).where(photos.c.id == func.any(list(set(photo_ids))))
    )
    return {
        row.id: JobPhoto(
            name=row.original_filename,
            finished_at=None if row.processing_status == "queued" else row.finished_at,
            error=(row.processing_error or "It could not be processed.")
            if row.processing_status == "failed"
            else None,
        )
        for row in rows
    }


async def delete_old_jobs(connection: AsyncConnection, *, older_than: timedelta, limit: int) -> int:
    """Delete some of the jobs that nobody asks after any more; return how many."""
    old = (
        select(upload_jobs.c.id)
        .where(upload_jobs.c.started_at < func.now() - older_than)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    deleted = await connection.execute(delete(upload_jobs).where(upload_jobs.c.id.in_(old)))
    return deleted.rowcount
