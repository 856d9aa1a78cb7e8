"""SQL of the faces that Rekognition keeps, of its collections, and of the calls that it charges."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, external_collections, faces, photos, selfie_indexes

#: Stored with every face.
ENGINE = "rekognition"


@dataclass(frozen=True, slots=True)
class KnownSelfie:
    """A guest's face; a new one was not compared with the old photo faces yet."""

    face_id: str
    selfie_id: int
    user_id: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class KnownFace:
    """A photo's face; a new one was not compared with any selfie yet. `id` is our row's."""

    face_id: str
    id: int
    photo_id: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class KnownFaces:
    """Both sides as they are committed at one moment.

    Of the old photo faces there are at most one more than selfies: so many are never searched.
    `waiting` are the ids of faces whose photos wait for a later round, the earliest ones.
    """

    selfies: tuple[KnownSelfie, ...]
    faces: tuple[KnownFace, ...]
    waiting: tuple[str, ...] = ()


def waits_to_be_matched(event_id: int) -> ColumnElement[bool]:
    """Whether a photo of the event is analysed and not matched yet."""
    return and_(
        photos.c.event_id == event_id,
        photos.c.processing_status == "analyzed",
        photos.c.engine == ENGINE,
    )


async def read_sides(
    connection: AsyncConnection,
    event_id: int,
    *,
    photo_ids: Sequence[int],
    selfie_ids: Sequence[int] | None,
    waiting_photos: int = 0,
) -> KnownFaces:
    """Read both sides, and of so many waiting photos the faces.

    The new selfies are these, or (None) those that wait. The connection must keep one
    snapshot over its statements.
    """
    is_new = (
        selfie_indexes.c.status == "indexed"
        if selfie_ids is None
        else selfie_indexes.c.selfie_id == func.any(list(selfie_ids))
    )
    rows = await connection.execute(
        select(
            selfie_indexes.c.external_face_id.label("face_id"),
            selfie_indexes.c.selfie_id,
            selfie_indexes.c.user_id,
            is_new.label("is_new"),
        ).where(
            selfie_indexes.c.event_id == event_id,
            selfie_indexes.c.status.in_(("indexed", "done")),
            selfie_indexes.c.engine == ENGINE,
        )
    )
    selfies = tuple(KnownSelfie(**row._asdict()) for row in rows)
    new = await read_faces(connection, event_id, of=photo_ids, is_new=True)
    old: list[KnownFace] = []
    if any(selfie.is_new for selfie in selfies):
        old = await read_faces(
            connection, event_id, but_not_of=photo_ids, limit=len(selfies) + 1, is_new=False
        )
    waiting = await _waiting_faces(connection, event_id, but_not_of=photo_ids, limit=waiting_photos)
    return KnownFaces(selfies, (*new, *old), waiting)


async def _waiting_faces(
    connection: AsyncConnection, event_id: int, *, but_not_of: Sequence[int], limit: int
) -> tuple[str, ...]:
    if not limit:
        return ()
    analyzed: Iterable[int] = await connection.scalars(
        select(photos.c.id)
        .where(waits_to_be_matched(event_id))
        .order_by(photos.c.id)
        .limit(limit + len(but_not_of))
    )
    earliest = [photo_id for photo_id in analyzed if photo_id not in but_not_of]
    found = await read_faces(connection, event_id, of=earliest, is_new=True)
    return tuple(face.face_id for face in found)


async def read_faces(
    connection: AsyncConnection,
    event_id: int,
    *,
    is_new: bool,
    of: Sequence[int] | None = None,
    but_not_of: Sequence[int] = (),
    limit: int | None = None,
) -> list[KnownFace]:
    """Return faces of these photos, or of all photos but some."""
    wanted = (
        faces.c.photo_id != func.all(list(but_not_of))
        if of is None
        else faces.c.photo_id == func.any(list(of))
    )
    rows = await connection.execute(
        select(faces.c.external_face_id.label("face_id"), faces.c.id, faces.c.photo_id)
        .where(faces.c.event_id == event_id, faces.c.engine == ENGINE, wanted)
        .limit(limit)
    )
    return [KnownFace(**row._asdict(), is_new=is_new) for row in rows]


async def faces_by_external_id(
    connection: AsyncConnection, face_ids: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Return (face id, photo id) of those that are rows of ours."""
    rows = await connection.execute(
        select(faces.c.external_face_id, faces.c.id, faces.c.photo_id).where(
            faces.c.external_face_id == func.any(list(face_ids))
        )
    )
    return {row.external_face_id: (row.id, row.photo_id) for row in rows}


async def stray_faces(connection: AsyncConnection, face_ids: Sequence[str]) -> list[str]:
    """Return those that neither a photo nor a selfie refers to."""
    return list(
        await connection.scalars(
            text(
                """
                SELECT f FROM unnest(CAST(:face_ids AS text[])) AS f
                WHERE NOT EXISTS (SELECT 1 FROM faces WHERE external_face_id = f)
                  AND NOT EXISTS (SELECT 1 FROM selfie_indexes WHERE external_face_id = f)
                """
            ),
            {"face_ids": list(face_ids)},
        )
    )


async def announce_collection(connection: AsyncConnection, event_id: int) -> None:
    """Write down that the event, if it is still there, will have a collection.

    Before the collection is made, so that whatever happens it is known to be deleted.
    """
    await connection.execute(
        text(
            """
            INSERT INTO external_collections (event_id)
            SELECT id FROM events WHERE id = :event_id
            ON CONFLICT DO NOTHING
            """
        ),
        {"event_id": event_id},
    )


async def lock_collection(connection: AsyncConnection, event_id: int) -> bool | None:
    """Let one replica at a time make the collection; whether it is made, None without the event.

    The event's row is locked as well: a deletion waits, and then finds what was made.
    """
    is_made: bool | None = await connection.scalar(
        select(external_collections.c.is_made)
        .join(events, events.c.id == external_collections.c.event_id)
        .where(external_collections.c.event_id == event_id)
        .with_for_update(key_share=True)
    )
    return is_made


async def mark_collection(connection: AsyncConnection, event_id: int, *, is_made: bool) -> None:
    """Record that the collection is there, or that it turned out not to be."""
    await connection.execute(
        update(external_collections)
        .where(external_collections.c.event_id == event_id)
        .values(is_made=is_made)
    )


_ADD_CALLS = text(
    """
    INSERT INTO aws_usage AS u (event_id, operation, day, calls)
    SELECT event_id, operation,
           CAST((now() - make_interval(mins => minutes)) AT TIME ZONE 'UTC' AS date), sum(calls)
    FROM unnest(
        CAST(:events AS bigint[]), CAST(:operations AS text[]), CAST(:minutes AS int[]),
        CAST(:calls AS bigint[])) AS made (event_id, operation, minutes, calls)
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    ON CONFLICT (event_id, operation, day) DO UPDATE SET calls = u.calls + excluded.calls
    """
)


async def add_calls(connection: AsyncConnection, calls: Mapping[tuple[int, str, int], int]) -> None:
    """Add numbers of calls by event, operation, and how many minutes ago they were made."""
    event_ids, operations, minutes = zip(*calls, strict=True)
    await connection.execute(
        _ADD_CALLS,
        {
            "events": list(event_ids),
            "operations": list(operations),
            "minutes": list(minutes),
            "calls": list(calls.values()),
        },
    )
