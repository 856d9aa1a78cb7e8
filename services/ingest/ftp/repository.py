"""SQL of the door for cameras."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, photos, resumable_uploads
from libs.common.errors import NotFound
from libs.common.rights.event_codes import code_key, has_code
from libs.common.rights.event_ends import is_over

_uploads = resumable_uploads.c


async def find_event_id(connection: AsyncConnection, code: str) -> int:
    """Return the event with this code; one that is not over goes before others.

    Raises NotFound.
    """
    found: int | None = await connection.scalar(
        select(events.c.id)
        .where(has_code(code))
        .order_by(is_over(), (events.c.code_key == code_key(code)).desc())
        .limit(1)
    )
    if found is None:
        raise NotFound("Event", code)
    return found


async def find_event_code(connection: AsyncConnection, event_id: int) -> str:
    """Return the event's code. Raises NotFound."""
    code: str | None = await connection.scalar(
        select(events.c.event_code).where(events.c.id == event_id)
    )
    if code is None:
        raise NotFound("Event", event_id)
    return code


async def rename_photo(
    connection: AsyncConnection, event_id: int, photo_id: int, name: str
) -> None:
    """Give a photo another name to be shown by."""
    await connection.execute(
        update(photos)
        .where(photos.c.id == photo_id, photos.c.event_id == event_id)
        .values(original_filename=name)
    )


async def find_broken_file(
    connection: AsyncConnection, event_id: int, digest: bytes
) -> tuple[UUID, int, int] | None:
    """Return the id, event and size of what has come of a file that broke off."""
    row = (
        await connection.execute(
            select(_uploads.id, _uploads.event_id, _uploads.received).where(
                _uploads.event_id == event_id,
                _uploads.resumes_as == digest,
                _uploads.expires_at > func.now(),
            )
        )
    ).one_or_none()
    return None if row is None else (row.id, row.event_id, row.received)


async def replace_broken_file(
    connection: AsyncConnection,
    *,
    upload_id: UUID,
    event_id: int,
    user_id: int,
    name: str,
    size_bytes: int,
    part: str,
    digest: bytes,
    lasts: timedelta,
) -> UUID | None:
    """Note what has come of a file; return whose objects nothing refers to any more.

    That is what came before, or this where another connection has noted the same file just now.
    """
    replaced = await remove_broken_file(connection, event_id, digest)
    added = await connection.execute(
        insert(resumable_uploads)
        .values(
            id=upload_id,
            event_id=event_id,
            user_id=user_id,
            name=name,
            sent_metadata="",
            keeps_copies=False,
            length=size_bytes + 1,
            received=size_bytes,
            parts=[part],
            expires_at=func.now() + lasts,
            resumes_as=digest,
        )
        .on_conflict_do_nothing(index_elements=["event_id", "resumes_as"])
    )
    return replaced if added.rowcount else upload_id


async def remove_broken_file(
    connection: AsyncConnection, event_id: int, digest: bytes
) -> UUID | None:
    """Delete the row of a file that broke off; return its id, if there is one."""
    removed: UUID | None = await connection.scalar(
        delete(resumable_uploads)
        .where(_uploads.event_id == event_id, _uploads.resumes_as == digest)
        .returning(_uploads.id)
    )
    return removed
