"""Events are made, changed, prolonged and deleted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.common.database.audit import Action, record
from libs.common.database.clock import present_moment
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import InvalidInput, NotFound
from libs.common.messaging.messages import EventChanged, EventDeleted, RematchRequested
from libs.common.rights.access import EventDuplicates
from libs.common.web.auth import Principal
from services.gallery.events import repository as events
from services.gallery.events.access import require_event, require_visible_event
from services.gallery.events.rules import (
    CodeInUse,
    Event,
    checked_code,
    checked_name,
    chosen_end,
    expiry,
    generate_code,
)
from services.gallery.events.time_zones import TimeZoneUnknown, checked_time_zone
from services.gallery.settings import DELETE_AGAIN_SECONDS

#: 39 random bits: even the second try is never needed in practice.
_CODE_TRIES = 5


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that somebody asks for; without a code it gets a random one.

    It ends when its lifetime is over, unless it is said when.
    """

    name: str
    lifetime: timedelta
    expires_at: datetime | None = None
    event_code: str | None = None
    date: datetime | None = None
    photographer_id: int | None = None
    strip_metadata: bool = True
    #: Whether guests see, besides the photos of them, only those that are chosen to be shown.
    selected_only: bool = False
    #: Of the IANA's list.
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class CreatedEvent:
    """What its maker is told of it."""

    event_id: int
    event_code: str


@dataclass(frozen=True, slots=True)
class EventChange:
    """What the event is to have from now on; None leaves what it has."""

    name: str | None = None
    event_code: str | None = None
    date: datetime | None = None
    photographer_id: int | None = None
    strip_metadata: bool | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class NewExpiration:
    """When the event ends now, and how many photos can be seen until then."""

    expires_at: datetime
    photos: int


async def create_event(event: NewEvent, *, actor_id: int | None, unit: UnitOfWork) -> CreatedEvent:
    """Make an event.

    Raises InvalidInput: no name, a code in use, no such photographer or time zone, or an end that
    is past or too far ahead.
    """
    name = checked_name(event.name)
    time_zone = event.time_zone and await known_time_zone(event.time_zone, unit=unit)
    now = await present_moment(unit.connection)
    if event.photographer_id is not None:
        await _require_photographer(event.photographer_id, unit)
    await events.lock_codes(unit.connection)
    code = checked_code(event.event_code) if event.event_code else await unused_code(unit=unit)
    event_id = await events.insert_event(
        unit.connection,
        name=name,
        code=code,
        date=event.date,
        photographer_id=event.photographer_id,
        expires_at=chosen_end(event.expires_at, event.date, now=now)
        if event.expires_at
        else expiry(event.date, event.lifetime, now=now),
        strip_metadata=event.strip_metadata,
        selected_only=event.selected_only,
        time_zone=time_zone,
    )
    if event_id is None:
        raise CodeInUse(code)
    await record(
        unit.connection,
        Action.EVENT_CREATED,
        actor_id=actor_id,
        account_id=event.photographer_id,
        event_id=event_id,
    )
    return CreatedEvent(event_id, code)


async def change_event(
    event_id: int, change: EventChange, *, lifetime: timedelta, actor_id: int, unit: UnitOfWork
) -> Event:
    """Return the event as it is now; another date begins its lifetime anew.

    Raises NotFound, EventErased, and InvalidInput as `create_event` does.
    """
    before = await require_event(unit.connection, event_id)
    before.state.require_open(event_id, runs_event=True)
    values: dict[str, object] = {}
    if change.name is not None:
        # A form sends what it does not change; older names may hide something.
        values["name"] = before.name if change.name == before.name else checked_name(change.name)
    if change.photographer_id is not None:
        await _require_photographer(change.photographer_id, unit)
        values["photographer_id"] = change.photographer_id
    if change.strip_metadata is not None:
        values["strip_metadata"] = change.strip_metadata
    if change.date is not None and change.date != before.date:
        now = await present_moment(unit.connection)
        values |= {"date": change.date, "expires_at": expiry(change.date, lifetime, now=now)}
    if change.event_code is not None:
        await lock_new_code(change.event_code, before, unit=unit)
    if change.time_zone is not None:
        values |= await set_time_zone(before, change.time_zone, unit=unit)
    if values:
        await store_change(
            event_id, values, actor_id=actor_id, account_id=change.photographer_id, unit=unit
        )
    if change.event_code is not None:
        await set_event_code(event_id, change.event_code, actor_id=actor_id, unit=unit)
    after = await require_event(unit.connection, event_id)
    unit.publish(EventChanged(event_id=event_id, photographer_id=change.photographer_id))
    return after


async def store_change(
    event_id: int,
    values: Mapping[str, object],
    *,
    actor_id: int,
    account_id: int | None = None,
    unit: UnitOfWork,
) -> None:
    """Give columns of the event other values, and record which. Raises EventErased."""
    await events.change_event(unit.connection, event_id, values)
    await record(
        unit.connection,
        Action.EVENT_CHANGED,
        actor_id=actor_id,
        account_id=account_id,
        event_id=event_id,
        details={"changed": ",".join(values)},
    )


async def set_time_zone(
    before: Event, name: str | None, *, unit: UnitOfWork
) -> dict[str, str | None]:
    """Put the event in a time zone, or in none; return the column if it has another value now.

    Its photos were taken at other instants then: 100,000 take seconds. Comes before whatever else
    is changed of the event: whoever has one of its photos may wait for its row.
    Raises TimeZoneUnknown, EventErased.
    """
    zone = await known_time_zone(name, unit=unit) if name else None
    await events.put_in_time_zone(unit.connection, before.id, zone)
    return {} if zone == before.time_zone else {"time_zone": zone}


async def known_time_zone(name: str, *, unit: UnitOfWork) -> str:
    """Return the time zone's name as it is stored. Raises TimeZoneUnknown."""
    checked = checked_time_zone(name)
    if not await events.knows_time_zone(unit.connection, checked):
        raise TimeZoneUnknown(name)
    return checked


async def set_duplicates(
    event_id: int, rule: EventDuplicates | None, *, principal: Principal, unit: UnitOfWork
) -> Event:
    """Return the event, whose photos are duplicates by this rule; None leaves it to their ways.

    For the event's photographer and admins. Raises NotFound, also for others' events, EventErased.
    """
    before = await require_visible_event(unit.connection, principal, event_id)
    if rule == before.duplicates:
        return before
    await events.change_event(unit.connection, event_id, {"duplicates": rule})
    await record(
        unit.connection,
        Action.EVENT_CHANGED,
        actor_id=principal.user_id,
        event_id=event_id,
        details={"changed": "duplicates", "to": rule},
    )
    return replace(before, duplicates=rule)


async def lock_new_code(code: str, before: Event, *, unit: UnitOfWork) -> None:
    """Have `set_event_code` not wait for others, where the event's row is changed before it."""
    if code.strip() != before.event_code:
        await events.lock_codes(unit.connection)


async def set_event_code(event_id: int, code: str, *, actor_id: int, unit: UnitOfWork) -> str:
    """Return the code as it was stored. Raises NotFound, InvalidInput when it is in use."""
    before = await require_event(unit.connection, event_id)
    if code.strip() == before.event_code:
        return before.event_code  # a form sends what it does not change; older codes are shorter
    checked = checked_code(code)
    await events.lock_codes(unit.connection)
    if await events.code_in_use(unit.connection, checked, besides=event_id):
        raise CodeInUse(checked)
    if not await events.change_code(unit.connection, event_id, checked):
        raise NotFound("Event", event_id)
    await record(unit.connection, Action.EVENT_CODE_CHANGED, actor_id=actor_id, event_id=event_id)
    return checked


async def unused_code(*, unit: UnitOfWork) -> str:
    """Return a random code that no event has."""
    for _ in range(_CODE_TRIES):
        code = generate_code()
        if not await events.code_in_use(unit.connection, code):
            return code
    msg = "no unused event code was found"
    raise RuntimeError(msg)


async def reset_expiration(
    event_id: int, *, lifetime: timedelta, principal: Principal, unit: UnitOfWork
) -> NewExpiration:
    """Begin an event's lifetime anew, so that its photos can be seen for longer.

    For the event's photographer and admins. Raises NotFound, also for others' events, EventErased,
    and InvalidInput for one that is of a date too far ahead.
    """
    event = await require_visible_event(unit.connection, principal, event_id)
    now = await present_moment(unit.connection)
    expires_at = expiry(event.date, lifetime, now=now)
    await events.change_event(unit.connection, event_id, {"expires_at": expires_at})
    await record(
        unit.connection, Action.EVENT_PROLONGED, actor_id=principal.user_id, event_id=event_id
    )
    photos = await events.count_photos(unit.connection, event_id)
    # Its photos' addresses are new ones: they carry the moment.
    unit.publish(EventChanged(event_id=event_id))
    if event.is_over:
        # Changes of the threshold have passed it by.
        unit.publish(RematchRequested(event_id=event_id))
    return NewExpiration(expires_at, photos)


async def delete_event(event_id: int, *, actor_id: int, unit: UnitOfWork) -> None:
    """Delete an event with all its photos, faces and matches; the guests' accounts stay.

    Rows go now; objects, collections and what is in memory on the message. Raises NotFound.
    """
    if not await events.delete_event(unit.connection, event_id):
        raise NotFound("Event", event_id)
    await record(unit.connection, Action.EVENT_DELETED, actor_id=actor_id, event_id=event_id)
    message = EventDeleted(event_id=event_id)
    unit.publish(message)
    unit.publish_later(message, seconds=DELETE_AGAIN_SECONDS)


async def _require_photographer(user_id: int, unit: UnitOfWork) -> None:
    if not await events.lock_photographer(unit.connection, user_id):
        msg = f"There is no photographer with the id {user_id}."
        raise InvalidInput(msg)
