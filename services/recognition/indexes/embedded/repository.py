"""SQL of what is compared: embeddings of photos' faces and of selfies."""

from collections.abc import AsyncIterator, Sequence

import numpy as np
from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import faces, photos, selfie_indexes
from services.recognition.engine.detect.found_face import MIN_QUALITY
from services.recognition.engine.face_engine import EngineProfile, stacked
from services.recognition.matching.compare import FaceSet, SelfieSet

#: Photos whose faces are read at once when selfies are matched against an event: at ten faces
#: each, 5 MB of embeddings.
SCAN_PHOTOS = 1_000


async def faces_of_photos(
    connection: AsyncConnection, photo_ids: Sequence[int], *, engine: EngineProfile
) -> FaceSet:
    """Return the photos' faces that this engine embedded and that may be matched."""
    wanted = (
        select(faces.c.id, faces.c.photo_id, faces.c.embedding)
        .where(
            faces.c.photo_id == func.any(list(photo_ids)),
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
