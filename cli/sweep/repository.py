"""All SQL of `findme sweep`."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, String, cast, collate, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.sweep.rules import LOST_REASON, Kind, NamedByRow
from libs.common.database.database import Database
from libs.common.database.tables import events, photos, resumable_uploads, selfies
from libs.common.storage.keys import photo_key, renditions_prefix, upload_prefix

#: A page sorts its event anew: of 100,000 photos in 60 ms.
PAGE_ROWS = 20_000


async def named_in_events(
    database: Database, event_id: int | None = None
) -> AsyncIterator[NamedByRow]:
    """Yield what photos and uploads of all events name, or of one, in the order of keys.

    A page is a transaction of its own: none lasts as long as the sweep.
    """
    if event_id is not None:
        event_ids = [event_id]
    else:
        by_key = collate(cast(events.c.id, String), "C")
        async with database.read(patient=True) as connection:
            event_ids = [*await connection.scalars(select(events.c.id).order_by(by_key))]
    for each in event_ids:
        async for row in _photos_of(database, each):
            yield row
        async for row in _renditions_of(database, each):
            yield row
        async for row in _uploads_of(database, each):
            yield row


async def is_event(database: Database, event_id: int) -> bool:
    """Whether the event is there."""
    async with database.read() as connection:
        found = await connection.scalar(select(events.c.id).where(events.c.id == event_id))
    return found is not None


async def named_by_selfies(database: Database) -> AsyncIterator[NamedByRow]:
    """Yield the keys of all selfies, in their order."""
    by_key = collate(selfies.c.object_key, "C")
    after = ""
    while True:
        async with database.read(patient=True) as connection:
            rows = (
                await connection.execute(
                    select(selfies.c.id, selfies.c.object_key, selfies.c.size_bytes)
                    .where(by_key > after)
                    .order_by(by_key)
                    .limit(PAGE_ROWS)
                )
            ).all()
        for row in rows:
            yield NamedByRow(row.object_key, row.id, row.size_bytes, Kind.SELFIE_WITHOUT_OBJECT)
        if len(rows) < PAGE_ROWS:
            return
        after = rows[-1].object_key


async def _photos_of(database: Database, event_id: int) -> AsyncIterator[NamedByRow]:
    async for row in _pages(database, event_id, slash=False):
        is_failed = row.processing_status == "failed"
        yield NamedByRow(
            photo_key(event_id, row.filename),
            row.id,
            row.size_bytes,
            Kind.FAILED_WITHOUT_OBJECT if is_failed else Kind.PHOTO_WITHOUT_OBJECT,
            was_lost=is_failed and row.processing_error == LOST_REASON,
        )


async def _renditions_of(database: Database, event_id: int) -> AsyncIterator[NamedByRow]:
    async for row in _pages(database, event_id, slash=True):
        yield NamedByRow(renditions_prefix(event_id, row.filename), row.id, 0, None)


async def _uploads_of(database: Database, event_id: int) -> AsyncIterator[NamedByRow]:
    # Of an event there are thousands at most (`MAX_UNFINISHED_UPLOADS`), and those of a day.
    async with database.read(patient=True) as connection:
        ids: Iterable[UUID] = await connection.scalars(
            select(resumable_uploads.c.id)
            .where(resumable_uploads.c.event_id == event_id)
            .order_by(resumable_uploads.c.id)
        )
        found = [*ids]
    for upload_id in found:
        yield NamedByRow(upload_prefix(event_id, upload_id), 0, 0, None)


class _PhotoRow(Protocol):
    id: int
    filename: str
    size_bytes: int
    processing_status: str
    processing_error: str | None


async def _pages(database: Database, event_id: int, *, slash: bool) -> AsyncIterator[_PhotoRow]:
    # A folder's name is followed by a slash, after which letters sort that a name may have.
    name = photos.c.filename + literal("/") if slash else photos.c.filename
    by_key = collate(name, "C")
    after = ""
    while True:
        async with database.read(patient=True) as connection:
            rows = (
                await connection.execute(
                    select(
                        photos.c.id,
                        photos.c.filename,
                        photos.c.size_bytes,
                        photos.c.processing_status,
                        photos.c.processing_error,
                    )
                    .where(photos.c.event_id == event_id, by_key > after)
                    .order_by(by_key)
                    .limit(PAGE_ROWS)
                )
            ).all()
        for row in rows:
            yield row
        if len(rows) < PAGE_ROWS:
            return
        after = rows[-1].filename + ("/" if slash else "")


async def mark_lost(
    connection: AsyncConnection, photo_ids: Sequence[int], reason: str
) -> list[tuple[int, int]]:
    """Record that the photos' files are missing; return ids and events of those that were not."""
    to_mark = (photos.c.id == func.any(list(photo_ids)), photos.c.processing_status != "failed")
    await _lock(connection, *to_mark)
    marked = await connection.execute(
        update(photos)
        .where(*to_mark)
        .values(
            processing_status="failed",
            processing_error=reason,
            claimed_by=None,
            finished_at=func.coalesce(photos.c.finished_at, func.now()),
        )
        .returning(photos.c.id, photos.c.event_id)
    )
    return [(row.id, row.event_id) for row in marked]


async def mark_found(
    connection: AsyncConnection, photo_ids: Sequence[int], reason: str
) -> set[int]:
    """Let photos that `mark_lost` marked wait for their analysis; return which there were.

    They were sent to it long ago: recognition finds them within a minute, as it does others of
    which the message is lost.
    """
    to_mark = (
        photos.c.id == func.any(list(photo_ids)),
        photos.c.processing_status == "failed",
        photos.c.processing_error == reason,
    )
    await _lock(connection, *to_mark)
    marked = await connection.scalars(
        update(photos)
        .where(*to_mark)
        .values(
            processing_status="queued",
            processing_error=None,
            lost_analyses=0,
            claimed_by=None,
            finished_at=None,
        )
        .returning(photos.c.id)
    )
    return set(marked)


async def _lock(connection: AsyncConnection, *which: ColumnElement[bool]) -> None:
    """Lock photos in the order of their ids, as whoever locks several does."""
    await connection.execute(
        select(photos.c.id).where(*which).order_by(photos.c.id).with_for_update(key_share=True)
    )
