"""SQL of how far an event's photos are, and of which bytes it has."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import photos
from services.ingest.progress.rules import Counts


async def count_photos(connection: AsyncConnection, event_id: int) -> Counts:
    """Count an event's photos; all their entries of an index are read."""
    rows = await connection.execute(
        select(photos.c.processing_status, func.count().label("photos"))
        .where(photos.c.event_id == event_id)
        .group_by(photos.c.processing_status)
    )
    by_status = {row.processing_status: row.photos for row in rows}
    return Counts(
        queued=by_status.get("queued", 0),
        analysed=by_status.get("analyzed", 0),
        matched=by_status.get("done", 0),
        failed=by_status.get("failed", 0),
    )


async def find_photos_with(
    connection: AsyncConnection, event_id: int, digests: Collection[bytes]
) -> dict[bytes, int]:
    """Return the event's first photo of each SHA-256 that it has."""
    rows = await connection.execute(
        select(photos.c.sha256, func.min(photos.c.id).label("id"))
        .where(photos.c.event_id == event_id, photos.c.sha256 == func.any(list(digests)))
        .group_by(photos.c.sha256)
    )
    return {row.sha256: row.id for row in rows}
