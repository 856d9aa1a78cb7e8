"""SQL of photos; this service reads, and writes nothing."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import photos


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """What serving a photo needs of its row."""

    event_id: int
    filename: str
    original_filename: str
    content_type: str
    size_bytes: int


async def photo_by_id(connection: AsyncConnection, photo_id: int) -> PhotoRecord | None:
    """The photo, None when there is none."""
    return await _photo(connection, photos.c.id == photo_id)


async def photo_by_filename(connection: AsyncConnection, filename: str) -> PhotoRecord | None:
    """The photo, None when there is none."""
    if "\0" in filename:  # PostgreSQL's text has no such letter
        return None
    return await _photo(connection, photos.c.filename == filename)


async def _photo(connection: AsyncConnection, condition: ColumnElement[bool]) -> PhotoRecord | None:
    row = (
        await connection.execute(
            select(
                photos.c.event_id,
                photos.c.filename,
                photos.c.original_filename,
                photos.c.content_type,
                photos.c.size_bytes,
            ).where(condition)
        )
    ).one_or_none()
    return PhotoRecord(**row._asdict()) if row else None
