"""SQL of what waits for an event's next round: analysed photos and indexed selfies."""

from collections.abc import Sequence

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import faces, photos
from libs.common.storage.whole_file import Content
from services.recognition.indexes.rekognition.repository import ENGINE, waits_to_be_matched
from services.recognition.photos.repository import PhotoRow
from services.recognition.rekognition_rounds.batching import Waiting

_WAITING = text(
    """
    WITH unfinished AS (
        SELECT id, processing_status = 'analyzed' AS is_analyzed, analyzed_at
        FROM photos
        WHERE event_id = :event_id
          AND (processing_status = 'queued' OR processing_status = 'analyzed' AND engine = :engine)
        UNION ALL
        SELECT id, false, analyzed_at FROM photos
        WHERE event_id = :event_id AND reindexing_since IS NOT NULL)
    SELECT
        count(*) FILTER (WHERE is_analyzed) AS photos,
        count(*) FILTER (WHERE NOT is_analyzed) AS photos_to_come,
        (SELECT count(*) FROM unfinished JOIN faces f ON f.photo_id = unfinished.id
         WHERE is_analyzed AND f.engine = :engine) AS faces,
        coalesce(extract(epoch FROM clock_timestamp() - min(analyzed_at)
                         FILTER (WHERE is_analyzed)), 0)::float8 AS waited_seconds,
        (SELECT coalesce(extract(epoch FROM clock_timestamp() - max(uploaded_at)), 0)::float8
         FROM photos WHERE event_id = :event_id) AS quiet_seconds,
        (SELECT count(*) FROM selfie_indexes
         WHERE event_id = :event_id AND status = 'indexed' AND engine = :engine) AS new_selfies,
        (SELECT count(*) FROM selfie_indexes
         WHERE event_id = :event_id AND status = 'done' AND engine = :engine) AS old_selfies
    FROM unfinished
    """
)


async def waiting(connection: AsyncConnection, event_id: int) -> Waiting:
    """Return what of the event waits to be matched."""
    row = (await connection.execute(_WAITING, {"event_id": event_id, "engine": ENGINE})).one()
    return Waiting(**row._asdict())


async def waiting_events(connection: AsyncConnection) -> list[int]:
    """Return the events that are not over, and of which photos or selfies wait to be matched."""
    return list(
        await connection.scalars(
            text(
                """
                SELECT event_id FROM (
                    SELECT event_id FROM photos
                    WHERE processing_status = 'analyzed' AND engine = :engine
                    UNION
                    SELECT event_id FROM selfie_indexes
                    WHERE status = 'indexed' AND engine = :engine) AS waiting
                JOIN events e ON e.id = event_id
                WHERE e.expires_at > now() AND e.erasure_began_at IS NULL
                """
            ),
            {"engine": ENGINE},
        )
    )


async def count_faces(connection: AsyncConnection, photo_ids: Sequence[int]) -> dict[int, int]:
    """Return how many faces each of these photos has, in order of the photos."""
    rows = await connection.execute(
        select(faces.c.photo_id, func.count().label("number"))
        .where(faces.c.photo_id == func.any(list(photo_ids)), faces.c.engine == ENGINE)
        .group_by(faces.c.photo_id)
        .order_by(faces.c.photo_id)
    )
    return {row.photo_id: row.number for row in rows}


async def analyzed_photos(
    connection: AsyncConnection, event_id: int, *, limit: int
) -> list[PhotoRow]:
    """Return the photos that wait to be matched, the oldest first."""
    rows = await connection.execute(
        select(
            photos.c.id,
            photos.c.event_id,
            photos.c.filename,
            photos.c.processing_status.label("status"),
            photos.c.size_bytes,
            photos.c.sha256,
            photos.c.lost_analyses,
            photos.c.traceparent,
            photos.c.engine,
            photos.c.finished_at.is_not(None).label("is_known"),
        )
        .where(waits_to_be_matched(event_id))
        .order_by(photos.c.id)
        .limit(limit)
    )
    return [
        PhotoRow(
            id=row.id,
            event_id=row.event_id,
            filename=row.filename,
            status=row.status,
            content=Content(row.size_bytes, row.sha256),
            lost_analyses=row.lost_analyses,
            traceparent=row.traceparent,
            engine=row.engine,
            is_known=row.is_known,
        )
        for row in rows
    ]
