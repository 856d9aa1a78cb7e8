"""SQL of an event's faces that match no guest, and of whether they changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Row, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import (
    events,
    faces,
    match_overrides,
    matches,
    photos,
    selfie_indexes,
)
from libs.common.rights.counted_matches import shows_guest, threshold_of
from services.recognition.engine.face_engine import MIN_QUALITY, EngineProfile, stacked
from services.recognition.people.grouping import Embeddings
from services.recognition.people.people import FaceTable


@dataclass(frozen=True, slots=True)
class UnmatchedFaces:
    """The best faces that match no guest, with their embeddings (n, d), and how many there are."""

    table: FaceTable
    embeddings: Embeddings
    in_all: int


#: What an event's people depend on; equal while nothing of it changed.
Stamp = tuple[object, ...]


async def stamp_of(connection: AsyncConnection, event_id: int) -> Stamp | None:
    """Return the stamp by index-only reads, None when there is no such event.

    Matches come with a photo that is done or with a selfie that is finished, and go with a
    selfie, a photo or a word of a guest: so these are looked at instead of the matches.
    """
    row: Row[Any] | None = (
        await connection.execute(
            select(
                threshold_of(event_id),
                *_of(faces.c.event_id == event_id, func.count(), func.max(faces.c.id)),
                *_of(
                    (photos.c.event_id == event_id) & (photos.c.processing_status == "done"),
                    func.count(),
                ),
                *_of(
                    selfie_indexes.c.event_id == event_id,
                    func.count(),
                    func.max(selfie_indexes.c.finished_at),
                    where=selfie_indexes.c.status.in_(("indexed", "done")),
                ),
                *_of(
                    match_overrides.c.event_id == event_id,
                    func.count(),
                    func.max(match_overrides.c.decided_at),
                ),
            ).where(events.c.id == event_id)
        )
    ).one_or_none()
    return None if row is None else tuple(row)


def _of(
    condition: ColumnElement[bool],
    *values: ColumnElement[Any],
    where: ColumnElement[bool] | None = None,
) -> Sequence[ColumnElement[Any]]:
    conditions = [condition] if where is None else [condition, where]
    return [select(value).where(*conditions).scalar_subquery() for value in values]


async def unmatched_faces(
    connection: AsyncConnection, event_id: int, *, engine: EngineProfile, limit: int
) -> UnmatchedFaces:
    """Return up to `limit` faces that match no guest but could, the best ones, by their id."""
    is_matched = (
        select(matches.c.face_id)
        .where(
            matches.c.photo_id == faces.c.photo_id,
            matches.c.face_id == faces.c.id,
            # Nearly alike is enough where somebody said that it is the guest.
            shows_guest(event_id),
        )
        .correlate(faces)
        .exists()
    )
    best = (
        select(
            faces.c.id,
            faces.c.photo_id,
            faces.c.embedding,
            (
                func.float4send(faces.c.left)
                .op("||")(func.float4send(faces.c.top))
                .op("||")(func.float4send(faces.c.width))
                .op("||")(func.float4send(faces.c.height))
                .op("||")(func.float4send(faces.c.confidence))
                .op("||")(func.float4send(faces.c.quality))
            ).label("measures"),
            func.count().over().label("in_all"),
        )
        .where(
            faces.c.event_id == event_id,
            faces.c.engine == engine.name,
            faces.c.quality >= MIN_QUALITY,
            faces.c.embedding.is_not(None),
            ~is_matched,
        )
        .order_by(faces.c.quality.desc(), faces.c.id)
        .limit(limit)
        .subquery()
    )
    wanted = select(best).order_by(best.c.id).subquery()
    # One row of long strings, in one order: far cheaper to decode than many rows.
    row = (
        await connection.execute(
            select(
                func.string_agg(func.int8send(wanted.c.id), literal(b"")),
                func.string_agg(func.int8send(wanted.c.photo_id), literal(b"")),
                func.string_agg(wanted.c.measures, literal(b"")),
                func.string_agg(wanted.c.embedding, literal(b"")),
                func.max(wanted.c.in_all),
            )
        )
    ).one()
    face_ids, photo_ids, measures, embeddings = (part or b"" for part in row[:4])
    return UnmatchedFaces(
        FaceTable(
            face_ids=np.frombuffer(face_ids, ">i8").astype(np.int64),
            photo_ids=np.frombuffer(photo_ids, ">i8").astype(np.int64),
            measures=np.frombuffer(measures, ">f4").astype(np.float32).reshape(-1, 6),
        ),
        stacked([embeddings], engine.embedding_size),
        row[4] or 0,
    )
