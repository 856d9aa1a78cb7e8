"""All SQL of the media service: it reads, and writes nothing."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, memberships, photos, selfies


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """What serving a photo needs of its row."""

    event_id: int
    filename: str
    original_filename: str
    content_type: str


@dataclass(frozen=True, slots=True)
class SelfieRecord:
    """What serving a selfie needs of its row."""

    object_key: str
    filename: str
    content_type: str


async def photo_by_id(connection: AsyncConnection, photo_id: int) -> PhotoRecord | None:
    """The photo, None when there is none."""
    return await _photo(connection, photos.c.id == photo_id)


async def photo_by_filename(connection: AsyncConnection, filename: str) -> PhotoRecord | None:
    """The photo, None when there is none."""
    if "\0" in filename:  # PostgreSQL's text has no such letter
        return None
    return await _photo(connection, photos.c.filename == filename)


async def selfie_of(
    connection: AsyncConnection, user_id: int, *, selfie_id: int | None = None
) -> SelfieRecord | None:
    """The guest's newest selfie or a certain one, None when there is none."""
    query = (
        select(selfies.c.object_key, selfies.c.filename, selfies.c.content_type)
        .where(selfies.c.user_id == user_id)
        .order_by(selfies.c.id.desc())
        .limit(1)
    )
    if selfie_id is not None:
        query = query.where(selfies.c.id == selfie_id)
    row = (await connection.execute(query)).one_or_none()
    return SelfieRecord(**row._asdict()) if row else None


async def is_guest_of(connection: AsyncConnection, user_id: int, photographer_id: int) -> bool:
    """Whether the guest has joined an event of the photographer's."""
    found = await connection.scalar(
        select(
            exists().where(
                memberships.c.user_id == user_id,
                memberships.c.event_id == events.c.id,
                events.c.photographer_id == photographer_id,
            )
        )
    )
    return bool(found)


async def _photo(connection: AsyncConnection, condition: ColumnElement[bool]) -> PhotoRecord | None:
    row = (
        await connection.execute(
            select(
                photos.c.event_id,
                photos.c.filename,
                photos.c.original_filename,
                photos.c.content_type,
            ).where(condition)
        )
    ).one_or_none()
    return PhotoRecord(**row._asdict()) if row else None
