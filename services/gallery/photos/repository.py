"""Single photos: what their photographer changes, and the faces in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, faces, matches, photos
from libs.common.rights.guest_photos import ADDED, threshold_of, was_denied, was_said


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """A photo's event, name and size."""

    id: int
    event_id: int
    filename: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face as fractions of the upright photo; `matched` if it is the caller's."""

    left: float
    top: float
    width: float
    height: float
    confidence: float
    matched: bool


@dataclass(frozen=True, slots=True)
class PhotoJob:
    """How far a photo's processing is."""

    event_id: int
    filename: str
    original_filename: str
    processing_status: str
    processing_error: str | None
    uploaded_at: datetime


async def find_photo(connection: AsyncConnection, photo_id: int) -> PhotoFacts | None:
    """Return the photo, None when there is none."""
    row = (
        await connection.execute(
            select(
                photos.c.id,
                photos.c.event_id,
                photos.c.filename,
                photos.c.width,
                photos.c.height,
            ).where(photos.c.id == photo_id)
        )
    ).one_or_none()
    return PhotoFacts(**row._asdict()) if row else None


async def face_boxes(
    connection: AsyncConnection, photo: PhotoFacts, *, user_id: int
) -> list[FaceBox]:
    """Return the photo's faces; `matched` is about this user."""
    mine = (
        select(matches.c.face_id)
        .where(
            matches.c.user_id == user_id,
            matches.c.event_id == photo.event_id,
            matches.c.photo_id == photo.id,
            or_(matches.c.similarity >= threshold_of(photo.event_id), was_said(ADDED)),
            ~was_denied(),
        )
        # Several selfies may point to several faces; nobody is in a photo twice.
        .order_by(matches.c.similarity.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = await connection.execute(
        select(
            faces.c.left,
            faces.c.top,
            faces.c.width,
            faces.c.height,
            faces.c.confidence,
            func.coalesce(faces.c.id == mine, False).label("matched"),
        )
        .where(faces.c.photo_id == photo.id)
        .order_by(faces.c.position)
    )
    return [FaceBox(**row._asdict()) for row in rows]


async def show_photos(
    connection: AsyncConnection, owner_id: int, photo_ids: Sequence[int], *, show: bool | None
) -> list[tuple[int, int]]:
    """Set the visibility of those photos that are in the owner's events: (id, event id)."""
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
    rows = await connection.execute(
        delete(photos)
        .where(_is_owned(owner_id, photo_ids))
        .returning(photos.c.id, photos.c.event_id, photos.c.filename)
    )
    return [(row.id, row.event_id, row.filename) for row in rows]


def _is_owned(owner_id: int, photo_ids: Sequence[int]) -> ColumnElement[bool]:
    return and_(
        photos.c.id == func.any(list(photo_ids)),
        photos.c.event_id == events.c.id,
        events.c.photographer_id == owner_id,
    )


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
