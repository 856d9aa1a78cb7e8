"""SQL of faces that a paid service still holds though nothing of ours refers to them.

Rows of deleted photos and selfies get here by a trigger, in the transaction that deletes
them, so that no deletion by whatever cascade can leave a face behind.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, external_collections, face_removals
from services.recognition.indexes.face_index import FaceKey

#: What one call of the service takes.
BATCH = 4096


@dataclass(frozen=True, slots=True)
class Removals:
    """Faces of one event's collection that must go; `ids` are the rows that say so."""

    event_id: int
    ids: tuple[int, ...]
    face_ids: tuple[str, ...]


async def add(connection: AsyncConnection, event_id: int, keys: Iterable[FaceKey]) -> None:
    """Have faces removed that were indexed for a row that is not there (any more)."""
    face_ids = [key.external_face_id for key in keys if key.external_face_id is not None]
    if face_ids:
        await connection.execute(
            insert(face_removals),
            [{"event_id": event_id, "external_face_id": face_id} for face_id in face_ids],
        )


async def take(connection: AsyncConnection, *, without: Collection[int] = ()) -> Removals | None:
    """Lock the oldest faces of one event that no other replica has in hand."""
    oldest = (
        select(face_removals.c.event_id)
        .where(face_removals.c.event_id.not_in(without))
        .order_by(face_removals.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    event_id = await connection.scalar(oldest)
    if event_id is None:
        return None
    rows = (
        await connection.execute(
            select(face_removals.c.id, face_removals.c.external_face_id)
            .where(face_removals.c.event_id == event_id)
            .order_by(face_removals.c.id)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
    ).all()
    return Removals(
        event_id,
        ids=tuple(row.id for row in rows),
        face_ids=tuple(row.external_face_id for row in rows),
    )


async def remove(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Forget faces that the service has deleted."""
    await connection.execute(delete(face_removals).where(face_removals.c.id.in_(ids)))


async def take_ended_event(
    connection: AsyncConnection, *, without: Collection[int] = ()
) -> int | None:
    """Lock the collection of an event that is gone or erased, and return the event's id."""
    event_id: int | None = await connection.scalar(
        select(external_collections.c.event_id)
        .where(
            ~select(events.c.id)
            .where(events.c.id == external_collections.c.event_id, events.c.erased_at.is_(None))
            .exists(),
            external_collections.c.event_id.not_in(without),
        )
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return event_id


#: No face of the event is there, or on its way there by a replica that is still alive.
_EMPTIED = """
    NOT EXISTS (SELECT FROM faces f
                WHERE f.event_id = c.event_id AND f.external_face_id IS NOT NULL)
    AND NOT EXISTS (SELECT FROM selfie_indexes i
                    WHERE i.event_id = c.event_id AND i.external_face_id IS NOT NULL)
    AND NOT EXISTS (SELECT FROM face_removals r WHERE r.event_id = c.event_id)
    AND NOT EXISTS (SELECT FROM recognition_replicas r
                    WHERE r.engine = 'rekognition' AND r.seen_at > now() - interval '1 minute')
"""


async def take_emptied_event(
    connection: AsyncConnection, *, without: Collection[int] = ()
) -> int | None:
    """Lock the collection of an event that another engine has taken over, as a whole."""
    event_id: int | None = await connection.scalar(
        text(
            f"""
            SELECT c.event_id FROM external_collections c
            WHERE {_EMPTIED} AND c.event_id <> ALL(CAST(:without AS bigint[]))
            LIMIT 1 FOR UPDATE SKIP LOCKED
            """  # noqa: S608 - a text of ours
        ),
        {"without": list(without)},
    )
    return event_id


async def left_behind(connection: AsyncConnection) -> bool:
    """Whether there is anything to delete at the service, where another engine is at work."""
    return bool(
        await connection.scalar(
            text(
                f"""
                SELECT EXISTS (SELECT FROM face_removals)
                    OR EXISTS (SELECT FROM external_collections c
                               WHERE NOT EXISTS (SELECT FROM events e WHERE e.id = c.event_id
                                                 AND e.erased_at IS NULL))
                    OR EXISTS (SELECT FROM external_collections c WHERE {_EMPTIED})
                """  # noqa: S608 - a text of ours
            )
        )
    )


async def remove_event(connection: AsyncConnection, event_id: int) -> None:
    """Forget a collection that the service has deleted, and with it all its faces."""
    await connection.execute(
        delete(external_collections).where(external_collections.c.event_id == event_id)
    )
    await connection.execute(delete(face_removals).where(face_removals.c.event_id == event_id))
