"""Events and who has joined them."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Select, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, memberships, photos, users
from libs.common.web.auth import Role
from services.gallery.events.rules import Event, JoinedEvent, code_key

_CODES_LOCK_ID = 0x46494E47


def _events() -> Select[int, str, str, datetime | None, int | None, datetime]:
    return select(
        events.c.id,
        events.c.name,
        events.c.event_code,
        events.c.date,
        events.c.photographer_id,
        events.c.expires_at,
    )


async def find_event(connection: AsyncConnection, event_id: int) -> Event | None:
    """Return the event, None when there is none."""
    row = (await connection.execute(_events().where(events.c.id == event_id))).one_or_none()
    return Event(*row) if row else None


async def find_open_event(
    connection: AsyncConnection, code: str, *, lock: bool = False
) -> Event | None:
    """Return the event with this code, unless it has expired; locked, it cannot be deleted."""
    query = _events().where(events.c.code_key == code_key(code), events.c.expires_at > func.now())
    if lock:
        query = query.with_for_update(read=True, key_share=True)
    row = (await connection.execute(query)).one_or_none()
    return Event(*row) if row else None


async def find_joined_event(
    connection: AsyncConnection, user_id: int, event_id: int
) -> Event | None:
    """Return the event if the participant has joined it."""
    row = (
        await connection.execute(
            _events()
            .join(memberships, memberships.c.event_id == events.c.id)
            .where(events.c.id == event_id, memberships.c.user_id == user_id)
        )
    ).one_or_none()
    return Event(*row) if row else None


async def joined_events(connection: AsyncConnection, user_id: int) -> list[JoinedEvent]:
    """Return the participant's events, the main one first."""
    rows = await connection.execute(
        _events()
        .add_columns(memberships.c.joined_at)
        .join(memberships, memberships.c.event_id == events.c.id)
        .where(memberships.c.user_id == user_id)
        .order_by(memberships.c.joined_at, events.c.id)
    )
    return [JoinedEvent(Event(*row[:-1]), row[-1]) for row in rows]


async def all_events(
    connection: AsyncConnection, *, photographer_id: int | None = None
) -> list[Event]:
    """Return all events or a photographer's, in the order of their creation."""
    query = _events().order_by(events.c.id)
    if photographer_id is not None:
        query = query.where(events.c.photographer_id == photographer_id)
    return [Event(*row) for row in await connection.execute(query)]


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


async def lock_photographer(connection: AsyncConnection, user_id: int) -> bool:
    """Keep the photographer from being deleted; False when there is none with this id."""
    found = await connection.scalar(
        select(users.c.id)
        .where(users.c.id == user_id, users.c.user_type == Role.PHOTOGRAPHER.value)
        .with_for_update(read=True, key_share=True)
    )
    return found is not None


async def count_photos(connection: AsyncConnection, event_id: int) -> int:
    """Return how many photos the event has."""
    count = await connection.scalar(select(func.count()).where(photos.c.event_id == event_id))
    return count or 0
