"""SQL that counts what events have, and how it comes in."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Subquery, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import memberships, photos

_RECENT = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Counts:
    """Photos and guests of one event."""

    photos: int = 0
    #: Of the photos: not matched yet, and those that could not be analysed.
    pending: int = 0
    failed: int = 0
    guests: int = 0


async def count_of_events(
    connection: AsyncConnection, event_ids: Collection[int]
) -> dict[int, Counts]:
    """Count what each of the events has; all their photos' entries of an index are read."""
    wanted = list(event_ids)
    status = photos.c.processing_status
    of_photos = await connection.execute(
        select(
            photos.c.event_id,
            func.count().label("photos"),
            func.count().filter(status.in_(("queued", "analyzed"))).label("pending"),
            func.count().filter(status == "failed").label("failed"),
        )
        .where(photos.c.event_id == func.any(wanted))
        .group_by(photos.c.event_id)
    )
    counts = {event_id: Counts() for event_id in wanted}
    for row in of_photos:
        counts[row.event_id] = Counts(row.photos, row.pending, row.failed)
    of_guests = await connection.execute(
        select(memberships.c.event_id, func.count().label("guests"))
        .where(memberships.c.event_id == func.any(wanted))
        .group_by(memberships.c.event_id)
    )
    for row in of_guests:
        counts[row.event_id] = replace(counts[row.event_id], guests=row.guests)
    return counts


@dataclass(frozen=True, slots=True)
class Minute:
    """What happened to an event's photos within a minute that began at `minute`."""

    minute: datetime
    received: int
    #: Of those that came in within the last hours.
    done: int


async def count_by_minute(
    connection: AsyncConnection, event_id: int, *, minutes: int
) -> list[Minute]:
    """Count an event's photos of the last minutes, the present one too, the oldest first."""
    began = func.date_trunc("minute", func.now()) - timedelta(minutes=minutes - 1)
    span = (
        select(func.generate_series(began, func.now(), timedelta(minutes=1)).label("minute"))
    ).cte("span")
    received = _by_minute(photos.c.uploaded_at, event_id, began)
    # No index has the moment: of an event of days, not all photos are looked at.
    recent = photos.c.uploaded_at >= func.now() - _RECENT
    done = _by_minute(
        photos.c.finished_at, event_id, began, recent, photos.c.processing_status == "done"
    )
    rows = await connection.execute(
        select(
            span.c.minute,
            func.coalesce(received.c.photos, 0).label("received"),
            func.coalesce(done.c.photos, 0).label("done"),
        )
        .outerjoin(received, received.c.minute == span.c.minute)
        .outerjoin(done, done.c.minute == span.c.minute)
        .order_by(span.c.minute)
    )
    return [Minute(row.minute, row.received, row.done) for row in rows]


def _by_minute(
    moment: ColumnElement[Any],
    event_id: int,
    began: ColumnElement[Any],
    *conditions: ColumnElement[bool],
) -> Subquery:
    minute = func.date_trunc("minute", moment)
    return (
        select(minute.label("minute"), func.count().label("photos"))
        .where(photos.c.event_id == event_id, moment >= began, *conditions)
        .group_by(minute)
        .subquery()
    )
