"""Photos: what their photographer changes, and how far their processing is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, photos


@dataclass(frozen=True, slots=True)
class PhotoJob:
    """How far a photo's processing is."""

    event_id: int
    filename: str
    original_filename: str
    processing_status: str
    processing_error: str | None
    uploaded_at: datetime


async def show_photos(
    connection: AsyncConnection, owner_id: int, photo_ids: Sequence[int], *, show: bool | None
) -> list[tuple[int, int]]:
    """Set the visibility of those photos that are in the owner's events: (id, event id)."""
    await _lock_owned(connection, owner_id, photo_ids)
    rows = await connection.execute(
        update(photos)
        .where(_is_owned(owner_id, photo_ids))
        .values(show_in_general=show)
        .returning(photos.c.id, photos.c.event_id)
    )
    return [(row.id, row.event_id) for row in rows]


async def delete_photos(
    connection: AsyncConnection, owner_id: int, photo_ids: Sequence[int]
) -> list[tuple[int, int, str]]:
    """Delete those photos that are in the owner's events: (id, event id, filename)."""
    await _lock_owned(connection, owner_id, photo_ids)
    rows = await connection.execute(
        delete(photos)
        .where(_is_owned(owner_id, photo_ids))
        .returning(photos.c.id, photos.c.event_id, photos.c.filename)
    )
    return [(row.id, row.event_id, row.filename) for row in rows]


async def find_job(connection: AsyncConnection, job_id: str) -> PhotoJob | None:
    """Return the photo whose filename, without its extension, is the job's id."""
    rows = await connection.execute(
        select(
            photos.c.event_id,
            photos.c.filename,
            photos.c.original_filename,
            photos.c.processing_status,
            photos.c.processing_error,
            photos.c.uploaded_at,
        ).where(
            # A range, so that the unique index serves it in any collation.
            photos.c.filename >= job_id,
            photos.c.filename < f"{job_id}zzzz",
        )
    )
    found = (PhotoJob(**row._asdict()) for row in rows)
    return next((job for job in found if job.filename.partition(".")[0] == job_id), None)


async def count_by_status(
    connection: AsyncConnection, event_id: int | None = None
) -> dict[str, int]:
    """Return how many photos are in each processing status, of one event or of all."""
    query = select(photos.c.processing_status, func.count().label("photos")).group_by(
        photos.c.processing_status
    )
    if event_id is not None:
        query = query.where(photos.c.event_id == event_id)
    rows = await connection.execute(query)
    return {row.processing_status: row.photos for row in rows}


async def _lock_owned(connection: AsyncConnection, owner_id: int, photo_ids: Sequence[int]) -> None:
    """Lock the photos in the order of their ids, so that two of us never wait for each other."""
    await connection.execute(
        select(photos.c.id)
        .where(_is_owned(owner_id, photo_ids))
        .order_by(photos.c.id)
        .with_for_update(of=photos)
    )


def _is_owned(owner_id: int, photo_ids: Sequence[int]) -> ColumnElement[bool]:
    return and_(
        photos.c.id == func.any(list(photo_ids)),
        photos.c.event_id == events.c.id,
        events.c.photographer_id == owner_id,
    )
