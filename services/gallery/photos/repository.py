"""Photos: what their photographer changes, and how far their processing is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import IS_FAILED, events, photos
from libs.common.rights.counted_matches import guest_photos


@dataclass(frozen=True, slots=True)
class DeletedPhoto:
    """What is told of a photo that was deleted."""

    id: int
    event_id: int
    filename: str
    camera_id: int | None


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
) -> list[DeletedPhoto]:
    """Delete those photos that are in the owner's events, and return them."""
    await _lock_owned(connection, owner_id, photo_ids)
    rows = await connection.execute(
        delete(photos)
        .where(_is_owned(owner_id, photo_ids))
        .returning(photos.c.id, photos.c.event_id, photos.c.filename, photos.c.camera_id)
    )
    return [DeletedPhoto(**row._asdict()) for row in rows]


async def queue_failed_photos(
    connection: AsyncConnection, event_id: int, photo_ids: Sequence[int] | None, *, limit: int
) -> list[int]:
    """Have the event's failed photos, or those named, wait for analysis again; return their ids."""
    wanted = (
        select(photos.c.id)
        .where(photos.c.event_id == event_id, IS_FAILED)
        .order_by(photos.c.id)
        .limit(limit)
        .with_for_update(of=photos)
    )
    if photo_ids is not None:
        wanted = wanted.where(photos.c.id == func.any(list(photo_ids)))
    rows = await connection.scalars(
        update(photos)
        .where(photos.c.id.in_(wanted))
        .values(
            processing_status="queued",
            processing_error=None,
            lost_analyses=0,
            enqueued_at=func.now(),
            finished_at=None,
        )
        .returning(photos.c.id)
    )
    return sorted(rows)


async def guests_of_owned(
    connection: AsyncConnection, owner_id: int, photo_ids: Sequence[int]
) -> dict[int, tuple[int, ...]]:
    """Return who is in each of those photos that are in the owner's events, by photo."""
    await _lock_owned(connection, owner_id, photo_ids)
    owned = await connection.execute(
        select(photos.c.id, photos.c.event_id).where(_is_owned(owner_id, photo_ids))
    )
    by_event: dict[int, list[int]] = {}
    for row in owned:
        by_event.setdefault(row.event_id, []).append(row.id)
    found: dict[int, set[int]] = {}
    for event_id, ids in by_event.items():
        shown = guest_photos(event_id, photo_ids=ids)
        for row in await connection.execute(select(shown.c.photo_id, shown.c.user_id)):
            found.setdefault(row.photo_id, set()).add(row.user_id)
    return {photo_id: tuple(sorted(guests)) for photo_id, guests in found.items()}


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


async def count_in_hand(connection: AsyncConnection) -> int:
    """Return how many photos are being analysed at this moment."""
    count = await connection.scalar(
        select(func.count()).where(
            photos.c.processing_status == "queued", photos.c.claimed_by.is_not(None)
        )
    )
    return int(count or 0)


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
