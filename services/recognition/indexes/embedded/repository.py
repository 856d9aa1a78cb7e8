"""SQL of what is compared: embeddings of photos' faces and of selfies.

What comes of comparing them is in matching.
"""

from collections.abc import AsyncIterator, Sequence

import numpy as np
from sqlalchemy import ColumnElement, and_, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import faces, selfie_indexes
from services.recognition.engine.detect.quality import MIN_QUALITY
from services.recognition.engine.embed.similarity import stacked
from services.recognition.engine.profiles import EngineProfile
from services.recognition.matching.rules import FaceSet, SelfieSet

#: Faces read at once when a selfie is matched against an event: 5 MB of embeddings.
SCAN_CHUNK = 10_000


async def faces_of_photos(
    connection: AsyncConnection, photo_ids: Sequence[int], *, engine: EngineProfile
) -> FaceSet:
    """Return the photos' faces that this engine embedded and that may be matched."""
    condition = faces.c.photo_id == func.any(list(photo_ids))
    return await _face_set(connection, condition, engine=engine, limit=None)


async def scan_faces(
    connection: AsyncConnection, event_id: int, *, engine: EngineProfile, chunk: int = SCAN_CHUNK
) -> AsyncIterator[FaceSet]:
    """Yield all faces of the event in chunks, each in a snapshot of its own.

    A face committed behind the scan has a photo whose own match step, which comes after
    that commit, sees the selfie.
    """
    last = 0
    while True:
        found = await _face_set(
            connection,
            and_(faces.c.event_id == event_id, faces.c.id > last),
            engine=engine,
            limit=chunk,
        )
        if len(found):
            yield found
            last = int(found.face_ids.max())
        if len(found) < chunk:
            return


async def _face_set(
    connection: AsyncConnection,
    condition: ColumnElement[bool],
    *,
    engine: EngineProfile,
    limit: int | None,
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
        .limit(limit)
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
