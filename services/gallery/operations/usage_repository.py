"""Calls of the paid face service, as recognition has counted them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import aws_usage


@dataclass(frozen=True, slots=True)
class UsageRow:
    """How often an operation was called for an event."""

    event_id: int
    operation: str
    calls: int


async def usage(
    connection: AsyncConnection, *, event_id: int | None = None, since: date | None = None
) -> Sequence[UsageRow]:
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
    return [UsageRow(row.event_id, row.operation, int(row.calls)) for row in rows]
