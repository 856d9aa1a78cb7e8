"""How alike a face must be: the threshold of all events, and those that events have themselves."""

from dataclasses import dataclass

from sqlalchemy import REAL, cast, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, matching_settings
from libs.common.rights.counted_matches import threshold_of

_SHARED = select(matching_settings.c.threshold).where(matching_settings.c.id == 1)


@dataclass(frozen=True, slots=True)
class EventThreshold:
    """The threshold that counts in an event, 60 to 100, and whether it is the event's own."""

    value: float
    is_own: bool


async def shared_threshold(connection: AsyncConnection) -> float:
    """Return the threshold of events that have none of their own."""
    return float((await connection.execute(_SHARED)).scalar_one())


async def lock_shared_threshold(connection: AsyncConnection) -> None:
    """Keep the threshold of all events from being changed."""
    await connection.execute(_SHARED.with_for_update(read=True))


async def set_shared_threshold(connection: AsyncConnection, value: float) -> bool:
    """Return whether it was another one before."""
    done = await connection.execute(
        update(matching_settings)
        .where(matching_settings.c.id == 1, matching_settings.c.threshold != cast(value, REAL))
        .values(threshold=value)
    )
    return bool(done.rowcount)


async def event_threshold(connection: AsyncConnection, event_id: int) -> EventThreshold | None:
    """Return the event's threshold, None when there is no such event."""
    row = (
        await connection.execute(
            select(
                threshold_of(event_id).label("value"),
                events.c.match_threshold.is_not(None).label("is_own"),
            ).where(events.c.id == event_id)
        )
    ).one_or_none()
    return EventThreshold(**row._asdict()) if row else None


async def set_event_threshold(
    connection: AsyncConnection, event_id: int, value: float | None
) -> None:
    """Give the event a threshold of its own, or take it away."""
    await connection.execute(
        update(events).where(events.c.id == event_id).values(match_threshold=value)
    )


async def open_events_without_own(connection: AsyncConnection) -> list[int]:
    """Return the events that have not expired, and for which the shared threshold counts."""
    return list(
        await connection.scalars(
            select(events.c.id)
            .where(events.c.match_threshold.is_(None), events.c.expires_at > func.now())
            .order_by(events.c.id)
        )
    )
