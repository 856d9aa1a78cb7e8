"""Events and who has joined them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, memberships, photos
from services.gallery.events.codes import code_key

_CODES_LOCK_ID = 0x46494E47


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as lists show it."""

    id: int
    name: str
    event_code: str
    date: datetime | None
    photographer_id: int | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class JoinedEvent:
    """An event and when the participant joined it."""

    event: EventRow
    joined_at: datetime


def _events() -> Select[int, str, str, datetime | None, int | None, datetime]:
    return select(
        events.c.id,
        events.c.name,
        events.c.event_code,
        events.c.date,
        events.c.photographer_id,
        events.c.expires_at,
    )


async def find_event(connection: AsyncConnection, event_id: int) -> EventRow | None:
    """Return the event, None when there is none."""
    row = (await connection.execute(_events().where(events.c.id == event_id))).one_or_none()
    return EventRow(*row) if row else None


async def find_events(connection: AsyncConnection, event_ids: Sequence[int]) -> dict[int, EventRow]:
    """Return these events by id."""
    rows = await connection.execute(_events().where(events.c.id == func.any(list(event_ids))))
    return {row[0]: EventRow(*row) for row in rows}


async def find_open_event(connection: AsyncConnection, code: str) -> EventRow | None:
    """Return the event with this code, unless it has expired."""
    row = (
        await connection.execute(
            _events().where(events.c.code_key == code_key(code), events.c.expires_at > func.now())
        )
    ).one_or_none()
    return EventRow(*row) if row else None


async def enrolled_event(
    connection: AsyncConnection, user_id: int, event_id: int
) -> EventRow | None:
    """Return the event if the participant has joined it."""
    row = (
        await connection.execute(
            _events()
            .join(memberships, memberships.c.event_id == events.c.id)
            .where(events.c.id == event_id, memberships.c.user_id == user_id)
        )
    ).one_or_none()
    return EventRow(*row) if row else None


async def joined_events(connection: AsyncConnection, user_id: int) -> list[JoinedEvent]:
    """Return the participant's events, the main one first."""
    rows = await connection.execute(
        _events()
        .add_columns(memberships.c.joined_at)
        .join(memberships, memberships.c.event_id == events.c.id)
        .where(memberships.c.user_id == user_id)
        .order_by(memberships.c.joined_at, events.c.id)
    )
    return [JoinedEvent(EventRow(*row[:-1]), row[-1]) for row in rows]


async def all_events(
    connection: AsyncConnection, *, photographer_id: int | None = None
) -> list[EventRow]:
    """Return all events or a photographer's, in the order of their creation."""
    query = _events().order_by(events.c.id)
    if photographer_id is not None:
        query = query.where(events.c.photographer_id == photographer_id)
    return [EventRow(*row) for row in await connection.execute(query)]


async def join(connection: AsyncConnection, user_id: int, event_id: int) -> bool:
    """Make the participant a member; False when they are one already."""
    done = await connection.execute(
        insert(memberships).values(user_id=user_id, event_id=event_id).on_conflict_do_nothing()
    )
    return bool(done.rowcount)


async def insert_event(
    connection: AsyncConnection,
    *,
    name: str,
    code: str,
    date: datetime | None,
    photographer_id: int | None,
    expires_at: datetime,
) -> int | None:
    """Return the new event's id, None when the code is in use."""
    event_id: int | None = await connection.scalar(
        insert(events)
        .values(
            name=name,
            event_code=code,
            code_key=code_key(code),
            date=date,
            photographer_id=photographer_id,
            expires_at=expires_at,
        )
        .on_conflict_do_nothing(index_elements=["code_key"])
        .returning(events.c.id)
    )
    return event_id


async def lock_codes(connection: AsyncConnection) -> None:
    """Let one transaction at a time change a code, so that it can look before it writes."""
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_CODES_LOCK_ID})"))


async def code_in_use(connection: AsyncConnection, code: str, *, besides: int = 0) -> bool:
    """Whether another event than `besides` has this code."""
    found = await connection.scalar(
        select(events.c.id).where(events.c.code_key == code_key(code), events.c.id != besides)
    )
    return found is not None


async def change_code(connection: AsyncConnection, event_id: int, code: str) -> bool:
    """Give the event a code; False when there is no such event."""
    done = await connection.execute(
        update(events)
        .where(events.c.id == event_id)
        .values(event_code=code, code_key=code_key(code))
    )
    return bool(done.rowcount)


async def change_event(
    connection: AsyncConnection, event_id: int, values: Mapping[str, object]
) -> None:
    """Give columns of the event other values."""
    await connection.execute(update(events).where(events.c.id == event_id).values(dict(values)))


async def delete_event(connection: AsyncConnection, event_id: int) -> bool:
    """Delete the event, and by cascade all that hangs on it; False when there is none.

    Whoever adds to it waits, and then finds it gone.
    """
    done = await connection.execute(delete(events).where(events.c.id == event_id))
    return bool(done.rowcount)


async def count_photos_by_status(
    connection: AsyncConnection, event_id: int | None = None
) -> dict[str, int]:
    """Return how many photos are in each processing status, of one event or of all."""
    query = select(photos.c.processing_status, func.count().label("photos")).group_by(
        photos.c.processing_status
    )
    if event_id is not None:
        query = query.where(photos.c.event_id == event_id)
    rows = await connection.execute(query)
    return {row.processing_status: row.photos for row in rows}
