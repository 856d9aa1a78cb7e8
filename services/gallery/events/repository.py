"""Events and who has joined them."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    column,
    delete,
    exists,
    func,
    literal,
    select,
    table,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.locks import AdvisoryLock
from libs.common.database.tables import events, instant_taken, memberships, photos, users
from libs.common.rights.access import EventDuplicates
from libs.common.rights.event_codes import code_key, code_look, has_code
from libs.common.rights.event_ends import EventErased, is_erased, is_over, kept_until
from libs.common.web.auth import Role
from services.gallery.events.rules import Event, JoinedEvent

_TIME_ZONES = table("pg_timezone_names", column("name", Text))

#: In the order of `Event`'s fields.
EventColumns = tuple[
    int,
    str,
    str,
    datetime | None,
    int | None,
    datetime,
    bool,
    bool,
    datetime,
    bool,
    EventDuplicates | None,
    str | None,
]


def _events() -> Select[*EventColumns]:
    return select(
        events.c.id,
        events.c.name,
        events.c.event_code,
        events.c.date,
        events.c.photographer_id,
        events.c.expires_at,
        is_over(),
        is_erased(),
        kept_until(),
        events.c.strip_metadata,
        events.c.duplicates,
        events.c.time_zone,
    )


async def find_event(connection: AsyncConnection, event_id: int) -> Event | None:
    """Return the event, None when there is none."""
    row = (await connection.execute(_events().where(events.c.id == event_id))).one_or_none()
    return Event(*row) if row else None


async def find_event_by_code(
    connection: AsyncConnection, code: str, *, lock: bool = False
) -> Event | None:
    """Return the event with this code; locked, it cannot be deleted.

    One that is not over goes before others, and one with exactly this code before one whose code
    looks like it: older ones may.
    """
    query = (
        _events()
        .where(has_code(code))
        .order_by(is_over(), (events.c.code_key == code_key(code)).desc())
        .limit(1)
    )
    if lock:
        query = query.with_for_update(read=True, key_share=True)
    row = (await connection.execute(query)).one_or_none()
    return Event(*row) if row else None


async def find_joined_event(
    connection: AsyncConnection, user_id: int, event_id: int
) -> Event | None:
    """Return the event if the participant has joined it."""
    row = (await connection.execute(joined_event(event_id, user_id))).one_or_none()
    return Event(*row) if row else None


def joined_event(
    event_id: int | ColumnElement[int], user_id: int | ColumnElement[int]
) -> Select[*EventColumns]:
    """The columns of `Event`, if the participant has joined it."""
    return (
        _events()
        .join(memberships, memberships.c.event_id == events.c.id)
        .where(events.c.id == event_id, memberships.c.user_id == user_id)
    )


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
    """Return all events or a photographer's, the newest first."""
    query = _events().order_by(events.c.id.desc())
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
    strip_metadata: bool,
    selected_only: bool,
    time_zone: str | None,
) -> int | None:
    """Return the new event's id, None when the code is in use."""
    event_id: int | None = await connection.scalar(
        insert(events)
        .values(
            name=name,
            event_code=code,
            code_key=code_key(code),
            code_look=code_look(code),
            date=date,
            photographer_id=photographer_id,
            expires_at=expires_at,
            strip_metadata=strip_metadata,
            selected_only=selected_only,
            time_zone=time_zone,
        )
        .on_conflict_do_nothing()
        .returning(events.c.id)
    )
    return event_id


async def lock_codes(connection: AsyncConnection) -> None:
    """Let one transaction at a time change a code, so that it can look before it writes."""
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({AdvisoryLock.EVENT_CODES:d})"))


async def code_in_use(connection: AsyncConnection, code: str, *, besides: int = 0) -> bool:
    """Whether another event than `besides` has this code, or one that looks like it."""
    found = await connection.scalar(
        select(events.c.id).where(has_code(code), events.c.id != besides).limit(1)
    )
    return found is not None


async def change_code(connection: AsyncConnection, event_id: int, code: str) -> bool:
    """Give the event a code; False when there is no such event, or it was erased."""
    done = await connection.execute(
        update(events)
        .where(events.c.id == event_id, ~is_erased())
        .values(event_code=code, code_key=code_key(code), code_look=code_look(code))
    )
    return bool(done.rowcount)


async def change_event(
    connection: AsyncConnection, event_id: int, values: Mapping[str, object]
) -> None:
    """Give columns of the event other values. Raises EventErased."""
    done = await connection.execute(
        update(events).where(events.c.id == event_id, ~is_erased()).values(dict(values))
    )
    if not done.rowcount:
        raise EventErased(event_id)


async def knows_time_zone(connection: AsyncConnection, time_zone: str) -> bool:
    """Whether the database can reckon with the time zone: it has a list of its own."""
    return bool(await connection.scalar(select(exists().where(_TIME_ZONES.c.name == time_zone))))


async def put_in_time_zone(
    connection: AsyncConnection, event_id: int, time_zone: str | None
) -> None:
    """Put the event in the time zone, and its photos where that moves them. Raises EventErased.

    The same again moves those that are elsewhere. They are locked in the order of their ids, and
    before the event, as by whoever deletes them.
    """
    instant = instant_taken(photos.c.taken_at, photos.c.taken_at_offset, literal(time_zone, Text))
    moves = and_(
        photos.c.event_id == event_id,
        photos.c.taken_at.is_not(None),
        photos.c.taken_instant.is_distinct_from(instant),
    )
    await connection.execute(
        select(photos.c.id).where(moves).order_by(photos.c.id).with_for_update(key_share=True)
    )
    await change_event(connection, event_id, {"time_zone": time_zone})
    # Photos that were on their way in by then are there; whoever adds one now waits.
    await connection.execute(update(photos).where(moves).values(taken_instant=instant))


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
