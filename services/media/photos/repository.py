"""SQL of photos; this service reads, and writes nothing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, photos
from libs.common.rights.event_ends import EventState, is_erased, is_over
from libs.common.rights.photos import may_see
from libs.common.storage.whole_file import Content
from libs.common.web.auth import Principal


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
    #: When its event ends, and what is left of it.
    ends_at: datetime
    event: EventState
    #: Whether guests get it without place, names and serial numbers.
    strips_metadata: bool


async def photo_by_id(
    connection: AsyncConnection, photo_id: int, principal: Principal
) -> PhotoRecord | None:
    """The photo, None when there is none that the caller may see."""
    return await _photo(connection, photos.c.id == photo_id, may_see(principal))


async def photo_by_filename(
    connection: AsyncConnection, filename: str, principal: Principal | None = None
) -> PhotoRecord | None:
    """The photo, None when there is none, or none that the caller may see, if there is one."""
    if "\0" in filename:  # PostgreSQL's text has no such letter
        return None
    seen = true() if principal is None else may_see(principal)
    return await _photo(connection, photos.c.filename == filename, seen)


async def _photo(
    connection: AsyncConnection, *conditions: ColumnElement[bool]
) -> PhotoRecord | None:
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
                events.c.expires_at,
                is_over().label("is_over"),
                is_erased().label("is_erased"),
                events.c.strip_metadata,
            )
            .join(events, events.c.id == photos.c.event_id)
            .where(*conditions)
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
        row.expires_at,
        EventState(row.is_over, row.is_erased),
        row.strip_metadata,
    )
