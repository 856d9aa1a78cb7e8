"""SQL of photos; this service reads, and writes nothing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import photos
from libs.common.storage.whole_file import Content


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """What serving a photo needs of its row."""

    event_id: int
    filename: str
    original_filename: str
    content_type: str
    content: Content
    #: By the database's clock.
    read_at: datetime


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
                photos.c.sha256,
                func.now().label("read_at"),
            ).where(condition)
        )
    ).one_or_none()
    if row is None:
        return None
    return PhotoRecord(
        row.event_id,
        row.filename,
        row.original_filename,
        row.content_type,
        Content(row.size_bytes, row.sha256),
        row.read_at,
    )
