"""SQL of resumable uploads. What a request changes, it changes only while it holds the upload."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import BigInteger, Text

from libs.common.database.tables import resumable_uploads
from libs.common.errors import AccountGone, NotFound
from services.ingest.resumable.protocol import NewUpload
from services.ingest.resumable.rules import MAX_AGE, Upload

_EVENT_KEY = "_event_id_fkey"
_uploads = resumable_uploads.c
_IS_HELD = func.coalesce(_uploads.held_until > func.now(), False)
_ROW = (
    _uploads.id,
    _uploads.event_id,
    _uploads.name,
    _uploads.sent_metadata,
    _uploads.watcher_id,
    _uploads.keeps_copies,
    _uploads.sha256,
    _uploads.length,
    _uploads.received,
    _uploads.parts,
    _uploads.expires_at,
    _IS_HELD.label("is_held"),
    (_uploads.expires_at <= func.now()).label("is_expired"),
    _uploads.status,
    _uploads.job_id,
    _uploads.photo_id,
)
# Built once: building it anew costs as much as running it.
# What came by FTP is gone on with by FTP.
_FIND = select(*_ROW).where(_uploads.id == bindparam("upload_id"), _uploads.resumes_as.is_(None))


@dataclass(frozen=True, slots=True)
class Unfinished:
    """How many uploads an account, or an event, has that are no photos yet, and their bytes."""

    count: int
    size_bytes: int


async def count_unfinished(
    connection: AsyncConnection, *, user_id: int, event_id: int
) -> list[Unfinished]:
    """Return those of the account, and those of the event."""
    are_theirs = (_uploads.user_id == user_id, _uploads.event_id == event_id)
    row = (
        await connection.execute(
            select(
                *(func.count().filter(where) for where in are_theirs),
                *(
                    cast(func.coalesce(func.sum(_uploads.length).filter(where), 0), BigInteger)
                    for where in are_theirs
                ),
            ).where(or_(*are_theirs), _uploads.status.is_(None), _uploads.expires_at > func.now())
        )
    ).one()
    return [Unfinished(row[0], row[2]), Unfinished(row[1], row[3])]


async def add(
    connection: AsyncConnection,
    new: NewUpload,
    *,
    upload_id: UUID,
    user_id: int,
    lasts: timedelta,
) -> Upload:
    """Insert the row. Raises NotFound when the event is gone, AccountGone when the account is."""
    try:
        row = await connection.execute(
            insert(resumable_uploads)
            .values(
                id=upload_id,
                event_id=new.event_id,
                user_id=user_id,
                name=new.name,
                sent_metadata=new.sent_metadata,
                watcher_id=new.watcher_id,
                keeps_copies=new.keeps_copies,
                sha256=new.sha256,
                length=new.length,
                expires_at=func.now() + lasts,
            )
            .returning(*_ROW)
        )
    except IntegrityError as error:
        if _EVENT_KEY in str(error.orig):
            raise NotFound("Event", new.event_id) from error
        raise AccountGone(user_id) from error
    return _upload(row.one())


async def find(connection: AsyncConnection, upload_id: UUID) -> Upload | None:
    """Return the upload."""
    row = (await connection.execute(_FIND, {"upload_id": upload_id})).one_or_none()
    return None if row is None else _upload(row)


async def take(
    connection: AsyncConnection, upload_id: UUID, *, holder: UUID, seconds: float
) -> Upload | None:
    """Hold the upload, for so long unless it is renewed; None where another request does."""
    row = (
        await connection.execute(
            update(resumable_uploads)
            .where(_uploads.id == upload_id, ~_IS_HELD)
            .values(held_by=holder, held_until=_in(seconds), is_wanted=False)
            .returning(*_ROW)
        )
    ).one_or_none()
    return None if row is None else _upload(row)


async def want(connection: AsyncConnection, upload_id: UUID) -> bool:
    """Ask who holds the upload to let go of it; return whether it is there at all."""
    asked = await connection.execute(
        update(resumable_uploads).where(_uploads.id == upload_id).values(is_wanted=True)
    )
    return asked.rowcount > 0


async def renew(
    connection: AsyncConnection, upload_id: UUID, *, holder: UUID, seconds: float
) -> bool | None:
    """Hold it for longer; return whether another request wants it, None where one has it."""
    is_wanted: bool | None = await connection.scalar(
        update(resumable_uploads)
        .where(_uploads.id == upload_id, _uploads.held_by == holder)
        .values(held_until=_in(seconds))
        .returning(_uploads.is_wanted)
    )
    return is_wanted


async def release(connection: AsyncConnection, upload_id: UUID, *, holder: UUID) -> None:
    """Let go of it."""
    await connection.execute(
        update(resumable_uploads)
        .where(_uploads.id == upload_id, _uploads.held_by == holder)
        .values(held_by=None, held_until=None, is_wanted=False)
    )


async def add_parts(
    connection: AsyncConnection,
    upload: Upload,
    names: Sequence[str],
    *,
    size_bytes: int,
    holder: UUID,
    lasts: timedelta,
) -> Upload | None:
    """Note what has come; None where the upload is not this request's any more."""
    row = (
        await connection.execute(
            update(resumable_uploads)
            .where(
                _uploads.id == upload.id,
                _uploads.held_by == holder,
                _uploads.received == upload.received,
            )
            .values(
                received=_uploads.received + size_bytes,
                parts=func.array_cat(_uploads.parts, cast(literal(list(names)), ARRAY(Text))),
                expires_at=func.least(func.now() + lasts, _uploads.created_at + MAX_AGE),
            )
            .returning(*_ROW)
        )
    ).one_or_none()
    return None if row is None else _upload(row)


async def remove(connection: AsyncConnection, upload_id: UUID) -> None:
    """Delete the row."""
    await connection.execute(delete(resumable_uploads).where(_uploads.id == upload_id))


async def find_expired(connection: AsyncConnection, *, limit: int) -> list[Upload]:
    """Return some of those that nobody goes on with, or asks after, any more."""
    rows = await connection.execute(
        select(*_ROW)
        .where(_uploads.expires_at <= func.now(), ~_IS_HELD)
        .order_by(_uploads.expires_at)
        .limit(limit)
    )
    return [_upload(row) for row in rows]


def _in(seconds: float) -> ColumnElement[Any]:
    return func.now() + timedelta(seconds=seconds)


def _upload(row: Any) -> Upload:  # noqa: ANN401 - a row has no type of its own
    return Upload(**row._asdict())
