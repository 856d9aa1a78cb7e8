"""What waits for recognition, and what the paid face service was called for: reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import aws_usage
from services.gallery.operations.rules import PaidCalls

#: Reads the index of unfinished photos, however many are finished.
_PHOTOS = text(
    """
    SELECT processing_status, count(*) AS waiting,
           extract(epoch FROM now() - min(uploaded_at)) AS oldest_seconds
    FROM photos WHERE processing_status IN ('queued', 'analyzed')
    GROUP BY processing_status
    """
)
#: A selfie waits in each event of its guest. Events that are over are left out: nobody waits
#: there, and their guests are most of the table.
_SELFIES = text(
    """
    SELECT count(*) AS waiting,
           extract(epoch FROM now() - min(greatest(s.created_at, m.joined_at))) AS oldest_seconds
    FROM events e JOIN memberships m ON m.event_id = e.id JOIN selfies s ON s.user_id = m.user_id
    LEFT JOIN selfie_indexes i ON i.selfie_id = s.id AND i.event_id = m.event_id
    WHERE e.expires_at > now() AND (i.status IS NULL OR i.status IN ('claimed', 'indexed'))
    """
)
_ERASURES = text(
    """
    SELECT count(*) AS waiting, extract(epoch FROM now() - min(created_at)) AS oldest_seconds
    FROM face_removals
    """
)
_ENDED_COLLECTIONS = text(
    """
    SELECT count(*) FROM external_collections c
    WHERE NOT EXISTS (SELECT FROM events e WHERE e.id = c.event_id)
    """
)
_SIZE = text("SELECT pg_database_size(current_database())")


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many, the oldest for so long; 0 seconds where nothing waits."""

    count: int = 0
    oldest_seconds: float = 0.0


async def photos_waiting(connection: AsyncConnection) -> dict[str, Waiting]:
    """Return the photos that wait, by status: queued for their analysis, analyzed for a match."""
    rows = await connection.execute(_PHOTOS)
    found = {row.processing_status: _waiting(row) for row in rows}
    return {status: found.get(status, Waiting()) for status in ("queued", "analyzed")}


async def selfies_waiting(connection: AsyncConnection) -> Waiting:
    """Return the selfies that wait, each counted in every event of its guest."""
    return _waiting((await connection.execute(_SELFIES)).one())


async def erasures_waiting(connection: AsyncConnection) -> tuple[Waiting, int]:
    """Return the faces that the paid service must delete, and the events it must forget."""
    faces = _waiting((await connection.execute(_ERASURES)).one())
    return faces, await connection.scalar(_ENDED_COLLECTIONS) or 0


async def database_bytes(connection: AsyncConnection) -> int:
    """Return the size of the database on its disk."""
    return int(await connection.scalar(_SIZE) or 0)


async def paid_calls(
    connection: AsyncConnection, *, event_id: int | None = None, since: date | None = None
) -> Sequence[PaidCalls]:
    """Return the calls of one event or of all, from a day on (UTC)."""
    query = (
        select(
            aws_usage.c.event_id,
            aws_usage.c.operation,
            func.sum(aws_usage.c.calls).label("calls"),
        )
        .group_by(aws_usage.c.event_id, aws_usage.c.operation)
        .order_by(aws_usage.c.event_id, aws_usage.c.operation)
    )
    if event_id is not None:
        query = query.where(aws_usage.c.event_id == event_id)
    if since is not None:
        query = query.where(aws_usage.c.day >= since)
    rows = await connection.execute(query)
    return [PaidCalls(row.event_id, row.operation, int(row.calls)) for row in rows]


def _waiting(row: object) -> Waiting:
    count, oldest_seconds = row[-2:]  # type: ignore[index]
    return Waiting(int(count), float(oldest_seconds or 0.0))
