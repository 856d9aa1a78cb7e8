"""SQL of what is compared: embeddings of photos' faces and of selfies."""

from collections.abc import AsyncIterator, Sequence

import numpy as np
from sqlalchemy import ColumnElement, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import faces, photos, selfie_indexes
from services.recognition.engine.face_engine import MIN_QUALITY, EngineProfile, stacked
from services.recognition.indexes.embedded.kept_faces import AnalyzedPhotos
from services.recognition.matching.compare import FaceSet, Ids, SelfieSet

#: Photos whose faces are read at once when selfies are matched against an event: at ten faces
#: each, 5 MB of embeddings.
SCAN_PHOTOS = 1_000
#: Faces that are read by their ids at once: as many bytes.
SCAN_FACES = 10_000


async def faces_of_photos(
    connection: AsyncConnection, photo_ids: Sequence[int], *, engine: EngineProfile
) -> FaceSet:
    """Return the photos' faces that this engine embedded and that may be matched."""
    return await _faces(connection, faces.c.photo_id == func.any(list(photo_ids)), engine)


async def faces_with_ids(
    connection: AsyncConnection, face_ids: Sequence[int], *, engine: EngineProfile
) -> FaceSet:
    """Return these faces, as far as they are there still, embedded by this engine."""
    return await _faces(connection, faces.c.id == func.any(list(face_ids)), engine)


async def _faces(
    connection: AsyncConnection, condition: ColumnElement[bool], engine: EngineProfile
) -> FaceSet:
    wanted = (
        select(faces.c.id, faces.c.photo_id, faces.c.embedding)
        .where(
            condition,
            faces.c.engine == engine.name,
            faces.c.quality >= MIN_QUALITY,
            faces.c.embedding.is_not(None),
        )
        .order_by(faces.c.id)
        .subquery()
    )
    # One row of three long strings, in one order: far cheaper to decode than a million rows.
    row = (
        await connection.execute(
            select(
                func.string_agg(func.int8send(wanted.c.id), literal(b"")),
                func.string_agg(func.int8send(wanted.c.photo_id), literal(b"")),
                func.string_agg(wanted.c.embedding, literal(b"")),
            )
        )
    ).one()
    face_ids, photo_ids, embeddings = (part or b"" for part in row)
    return FaceSet(
        face_ids=np.frombuffer(face_ids, ">i8").astype(np.int64),
        photo_ids=np.frombuffer(photo_ids, ">i8").astype(np.int64),
        embeddings=stacked([embeddings], engine.embedding_size),
    )


async def faces_in_parts(
    connection: AsyncConnection, face_ids: Ids, *, engine: EngineProfile
) -> AsyncIterator[FaceSet]:
    """Yield these faces, so many at a time; a photo's may come in two parts."""
    for first in range(0, len(face_ids), SCAN_FACES):
        part = face_ids[first : first + SCAN_FACES]
        yield await faces_with_ids(connection, part.tolist(), engine=engine)


async def faces_of_many_photos(
    connection: AsyncConnection, photo_ids: Ids, *, engine: EngineProfile
) -> AsyncIterator[FaceSet]:
    """Yield the faces of these photos in chunks, each photo's together."""
    for first in range(0, len(photo_ids), SCAN_PHOTOS):
        chunk = photo_ids[first : first + SCAN_PHOTOS].tolist()
        found = await faces_of_photos(connection, chunk, engine=engine)
        if len(found):
            yield found


async def analyzed_photos(
    connection: AsyncConnection, event_id: int, *, engine: str
) -> AnalyzedPhotos:
    """Return the event's photos whose faces this engine has committed.

    Those that are analysed anew have another moment. None of a photo's faces come or go without
    that, but with the photo itself.
    """
    row = (await connection.execute(_ANALYZED, {"event_id": event_id, "engine": engine})).one()
    return AnalyzedPhotos(
        ids=np.frombuffer(row.ids or b"", ">i8").astype(np.int64),
        analyzed_at=np.frombuffer(row.moments or b"", ">i8").astype(np.int64),
    )


# Photos that are older than the column have no engine of their own.
_ANALYZED = text(
    """
    SELECT string_agg(int8send(id), '') AS ids, string_agg(int8send(moment), '') AS moments
    FROM (
        SELECT id, coalesce(extract(epoch FROM analyzed_at) * 1000000, 0)::bigint AS moment
        FROM photos
        WHERE event_id = :event_id AND processing_status IN ('analyzed', 'done')
          AND (engine = :engine OR engine IS NULL)
        ORDER BY id
    ) AS analyzed
    """
)


async def scan_faces(
    connection: AsyncConnection, event_id: int, *, engine: EngineProfile
) -> AsyncIterator[FaceSet]:
    """Yield all faces of the event, photo by photo in chunks, each in a snapshot of its own.

    A face committed behind the scan has a photo whose own match step, which comes after
    that commit, sees the selfie. A photo's faces come together: the best of them counts.
    """
    last = 0
    while photo_ids := await _photos_after(connection, event_id, last):
        found = await faces_of_photos(connection, photo_ids, engine=engine)
        if len(found):
            yield found
        last = photo_ids[-1]


async def _photos_after(connection: AsyncConnection, event_id: int, last: int) -> list[int]:
    return list(
        await connection.scalars(
            select(photos.c.id)
            .where(photos.c.event_id == event_id, photos.c.id > last)
            .order_by(photos.c.id)
            .limit(SCAN_PHOTOS)
        )
    )


async def live_selfie_ids(connection: AsyncConnection, event_id: int, *, engine: str) -> list[int]:
    """Return the ids of the event's indexed selfies, in order."""
    return list(
        await connection.scalars(
            select(selfie_indexes.c.selfie_id)
            .where(
                selfie_indexes.c.event_id == event_id,
                selfie_indexes.c.status.in_(("indexed", "done")),
                selfie_indexes.c.engine == engine,
            )
            .order_by(selfie_indexes.c.selfie_id)
        )
    )


async def load_selfies(
    connection: AsyncConnection, event_id: int, selfie_ids: Sequence[int], *, engine: EngineProfile
) -> SelfieSet:
    """Return these selfies of the event; those deleted meanwhile are left out.

    So are those that another engine embedded.
    """
    rows = (
        await connection.execute(
            select(selfie_indexes.c.selfie_id, selfie_indexes.c.user_id, selfie_indexes.c.embedding)
            .where(
                selfie_indexes.c.event_id == event_id,
                selfie_indexes.c.selfie_id == func.any(list(selfie_ids)),
                selfie_indexes.c.engine == engine.name,
                selfie_indexes.c.embedding.is_not(None),
            )
            .order_by(selfie_indexes.c.selfie_id)
        )
    ).all()
    return SelfieSet(
        selfie_ids=np.fromiter((row.selfie_id for row in rows), np.int64, len(rows)),
        user_ids=np.fromiter((row.user_id for row in rows), np.int64, len(rows)),
        embeddings=stacked([row.embedding for row in rows], engine.embedding_size),
    )
