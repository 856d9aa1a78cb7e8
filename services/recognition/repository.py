"""All SQL of the recognition service."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import ColumnElement, and_, delete, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.guest_photos import UNCERTAIN_BAND, guest_photos, threshold_of
from libs.common.tables import faces, matches, photos, selfie_indexes
from services.recognition.engine.profiles import EngineProfile
from services.recognition.engine.quality import MIN_QUALITY
from services.recognition.engine.similarity import DEFAULT_THRESHOLD, stacked
from services.recognition.face_index import IndexedFace, IndexedPhoto
from services.recognition.matching import FaceSet, Match, SelfieSet

#: Faces read at once when a selfie is matched against an event: 5 MB of embeddings.
SCAN_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """What the handlers need to know of a photo."""

    id: int
    event_id: int
    filename: str
    status: str
    uploaded_at: datetime
    lost_analyses: int
    traceparent: str | None
    #: Whose faces it has.
    engine: str | None = None
    #: It was finished before: guests know it.
    is_known: bool = False

    def waits_for(self, engine: str) -> bool:
        """Whether its faces are there to be matched by this engine, or by whichever there is."""
        return self.status == "analyzed" and self.engine in (None, engine)

    def is_of_another(self, engine: str) -> bool:
        """Whether it was analysed, but by another engine."""
        return self.status in ("analyzed", "done") and self.engine not in (None, engine)


async def find_photo(connection: AsyncConnection, photo_id: int) -> PhotoRow | None:
    """Return the photo, or None when it has been deleted."""
    row = (
        await connection.execute(
            select(
                photos.c.id,
                photos.c.event_id,
                photos.c.filename,
                photos.c.processing_status,
                photos.c.uploaded_at,
                photos.c.lost_analyses,
                photos.c.traceparent,
                photos.c.engine,
                photos.c.finished_at,
            ).where(photos.c.id == photo_id)
        )
    ).one_or_none()
    if row is None:
        return None
    return PhotoRow(
        id=row.id,
        event_id=row.event_id,
        filename=row.filename,
        status=row.processing_status,
        uploaded_at=row.uploaded_at,
        lost_analyses=row.lost_analyses,
        traceparent=row.traceparent,
        engine=row.engine,
        is_known=row.finished_at is not None,
    )


async def begin_analysis(connection: AsyncConnection, photo_id: int) -> None:
    """Count the analysis as lost until `end_analysis` takes it back."""
    await connection.execute(
        update(photos)
        .where(photos.c.id == photo_id)
        .values(lost_analyses=photos.c.lost_analyses + 1)
    )


async def end_analysis(connection: AsyncConnection, photo_id: int) -> None:
    """Record that an analysis ended in this process, however it ended."""
    await connection.execute(
        update(photos)
        .where(photos.c.id == photo_id, photos.c.lost_analyses > 0)
        .values(lost_analyses=photos.c.lost_analyses - 1)
    )


async def save_analysis(
    connection: AsyncConnection, photo: PhotoRow, analysis: IndexedPhoto, *, engine: str
) -> bool:
    """Store the faces of a queued photo, or of one that another engine has analysed.

    False when somebody else was first, or it is gone. A photo without faces has nothing to
    match: it is done.
    """
    updated = await connection.execute(
        update(photos)
        .where(
            photos.c.id == photo.id,
            or_(photos.c.processing_status == "queued", _is_of_another(engine)),
        )
        .values(
            processing_status="analyzed" if analysis.faces else "done",
            width=analysis.width,
            height=analysis.height,
            placeholder=analysis.placeholder,
            engine=engine,
            reindexing_since=None,
            analyzed_at=func.now(),
            # Kept where it is there: the photo was finished before, by another engine.
            finished_at=(
                photos.c.finished_at
                if analysis.faces
                else func.coalesce(photos.c.finished_at, func.now())
            ),
            enqueued_at=func.now(),
        )
    )
    if not updated.rowcount:
        return False
    if photo.engine is not None:
        await connection.execute(delete(faces).where(faces.c.photo_id == photo.id))
    if analysis.faces:
        await connection.execute(
            insert(faces).on_conflict_do_nothing(),
            [
                _face_values(photo, position, face, engine)
                for position, face in enumerate(analysis.faces)
            ],
        )
    return True


async def keep_analysis(connection: AsyncConnection, photo: PhotoRow, *, engine: str) -> bool:
    """Leave a photo that this engine cannot read as another one has found it.

    Its boxes and matches stay. What its faces are found by goes, as nothing can be compared
    with it any more. False when somebody else was first, or it is gone.
    """
    updated = await connection.execute(
        update(photos)
        .where(photos.c.id == photo.id, _is_of_another(engine))
        .values(
            processing_status="done",
            engine=engine,
            reindexing_since=None,
            finished_at=func.coalesce(photos.c.finished_at, func.now()),
        )
    )
    if not updated.rowcount:
        return False
    await connection.execute(_REMOVE_EXTERNAL, {"photo_id": photo.id})
    await connection.execute(
        update(faces)
        .where(faces.c.photo_id == photo.id)
        .values(embedding=None, external_face_id=None)
    )
    return True


_REMOVE_EXTERNAL = text(
    """
    INSERT INTO face_removals (event_id, external_face_id)
    SELECT event_id, external_face_id FROM faces
    WHERE photo_id = :photo_id AND external_face_id IS NOT NULL
    """
)


def _is_of_another(engine: str) -> ColumnElement[bool]:
    return and_(
        photos.c.processing_status.in_(("analyzed", "done")),
        photos.c.engine.is_not(None),
        photos.c.engine != engine,
    )


def _face_values(
    photo: PhotoRow, position: int, face: IndexedFace, engine: str
) -> dict[str, object]:
    return {
        "photo_id": photo.id,
        "event_id": photo.event_id,
        "position": position,
        "left": face.left,
        "top": face.top,
        "width": face.width,
        "height": face.height,
        "confidence": face.confidence,
        "quality": face.quality,
        "engine": engine,
        "embedding": face.key.embedding,
        "external_face_id": face.key.external_face_id,
    }


async def mark_photo_failed(
    connection: AsyncConnection, photo_id: int, reason: str, *, status: str = "queued"
) -> bool:
    """Record why a photo cannot be processed; False when its status is another by now."""
    updated = await connection.execute(
        update(photos)
        .where(photos.c.id == photo_id, photos.c.processing_status == status)
        .values(processing_status="failed", processing_error=reason, finished_at=func.now())
    )
    return bool(updated.rowcount)


async def mark_photo_done(connection: AsyncConnection, photo_id: int) -> bool:
    """Record that an analysed photo has been matched; False when it was recorded before."""
    updated = await connection.execute(
        update(photos)
        .where(photos.c.id == photo_id, photos.c.processing_status == "analyzed")
        .values(
            processing_status="done", finished_at=func.coalesce(photos.c.finished_at, func.now())
        )
    )
    return bool(updated.rowcount)


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


async def least_similarity(connection: AsyncConnection, event_id: int) -> float:
    """Return the similarity from which a match is kept in the event."""
    threshold = await connection.scalar(select(threshold_of(event_id)))
    # Of an event that was deleted nothing is kept, whatever is compared.
    return float(DEFAULT_THRESHOLD if threshold is None else threshold) - UNCERTAIN_BAND


async def guests_in_photos(
    connection: AsyncConnection, event_id: int, photo_ids: Sequence[int]
) -> dict[int, set[int]]:
    """Return the ids of the guests that each of these photos of the event shows."""
    shown = guest_photos(event_id, photo_ids=list(photo_ids))
    guests: dict[int, set[int]] = {}
    for row in await connection.execute(select(shown.c.photo_id, shown.c.user_id)):
        guests.setdefault(row.photo_id, set()).add(row.user_id)
    return guests


_UPSERT_MATCHES = text(
    """
    INSERT INTO matches AS m (user_id, event_id, photo_id, selfie_id, face_id, similarity)
    SELECT v.user_id, :event_id, v.photo_id, v.selfie_id, v.face_id, v.similarity
    FROM unnest(
        CAST(:users AS bigint[]), CAST(:photos AS bigint[]), CAST(:selfies AS bigint[]),
        CAST(:faces AS bigint[]), CAST(:similarities AS real[])
    ) AS v (user_id, photo_id, selfie_id, face_id, similarity)
    JOIN selfies s ON s.id = v.selfie_id
    JOIN photos p ON p.id = v.photo_id
    -- Those of another engine may have gone since they were compared.
    JOIN faces f ON f.id = v.face_id
    ORDER BY v.selfie_id, v.photo_id
    FOR KEY SHARE OF s, p
    ON CONFLICT (selfie_id, photo_id) DO UPDATE
    SET face_id = excluded.face_id, similarity = excluded.similarity
    WHERE (m.face_id, m.similarity) IS DISTINCT FROM (excluded.face_id, excluded.similarity)
    """
)


async def upsert_matches(
    connection: AsyncConnection, event_id: int, found: Sequence[Match]
) -> None:
    """Write matches; those of a selfie or photo deleted meanwhile are left out.

    The rows locked by KEY SHARE make a deletion wait and then remove what was written, or
    be seen here: either way nothing of a deleted selfie stays.
    """
    if not found:
        return
    await connection.execute(
        _UPSERT_MATCHES,
        {
            "event_id": event_id,
            "users": [match.user_id for match in found],
            "photos": [match.photo_id for match in found],
            "selfies": [match.selfie_id for match in found],
            "faces": [match.face_id for match in found],
            "similarities": [match.similarity for match in found],
        },
    )


_DELETE_OUTDATED = text(
    """
    DELETE FROM matches m
    USING photos p, selfie_indexes i
    WHERE p.id = m.photo_id AND i.selfie_id = m.selfie_id AND i.event_id = m.event_id
      AND i.status IN ('indexed', 'done') AND i.engine = p.engine
      AND (m.photo_id = ANY(CAST(:photos AS bigint[]))
           OR m.selfie_id = ANY(CAST(:selfies AS bigint[])))
      AND m.event_id = :event_id
      AND NOT EXISTS (SELECT FROM faces f WHERE f.id = m.face_id)
    RETURNING m.photo_id, m.user_id
    """
)


async def delete_outdated_matches(
    connection: AsyncConnection,
    event_id: int,
    *,
    photo_ids: Sequence[int] = (),
    selfie_ids: Sequence[int] = (),
) -> dict[int, set[int]]:
    """Remove what another engine had found of these photos or selfies.

    Only once both sides have been compared by one engine: until then the match stands. Its
    face is gone by then, which tells it from what was found anew. Returns guests by photo.
    """
    gone: dict[int, set[int]] = {}
    values = {"photos": list(photo_ids), "selfies": list(selfie_ids), "event_id": event_id}
    for row in await connection.execute(_DELETE_OUTDATED, values):
        gone.setdefault(row.photo_id, set()).add(row.user_id)
    return gone


async def delete_matches_below(connection: AsyncConnection, event_id: int, least: float) -> None:
    """Remove what a lower threshold had let through."""
    of_event = select(photos.c.id).where(photos.c.event_id == event_id)
    await connection.execute(
        delete(matches).where(matches.c.photo_id.in_(of_event), matches.c.similarity < least)
    )
