"""Events are made, changed, prolonged and deleted."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.common.database.clock import present_moment
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import InvalidInput, NotFound
from libs.common.messaging.messages import EventChanged, EventDeleted, RematchRequested
from libs.common.web.auth import Principal
from services.gallery.events import repository as events
from services.gallery.events.access import require_event, require_visible_event
from services.gallery.events.rules import (
    CodeInUse,
    Event,
    checked_code,
    checked_name,
    expiry,
    generate_code,
)
from services.gallery.settings import DELETE_AGAIN_SECONDS

#: 41 random bits: even the second try is never needed in practice.
_CODE_TRIES = 5


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that somebody asks for; without a code it gets a random one."""

    name: str
    lifetime: timedelta
    event_code: str | None = None
    date: datetime | None = None
    photographer_id: int | None = None


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


@dataclass(frozen=True, slots=True)
class NewExpiration:
    """When the event ends now, and how many photos can be seen until then."""

    expires_at: datetime
    photos: int


async def create_event(event: NewEvent, *, unit: UnitOfWork) -> CreatedEvent:
    """Raises InvalidInput: no name, a code in use, or no such photographer."""
    name = checked_name(event.name)
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
        expires_at=expiry(event.date, event.lifetime, now=await present_moment(unit.connection)),
    )
    if event_id is None:
        raise CodeInUse(code)
    return CreatedEvent(event_id, code)


async def change_event(
    event_id: int, change: EventChange, *, lifetime: timedelta, unit: UnitOfWork
) -> Event:
    """Return the event as it is now; another date begins its lifetime anew.

    Raises NotFound, and InvalidInput as `create_event` does.
    """
    before = await require_event(unit.connection, event_id)
    values: dict[str, object] = {}
    if change.name is not None:
        values["name"] = checked_name(change.name)
    if change.photographer_id is not None:
        await _require_photographer(change.photographer_id, unit)
        values["photographer_id"] = change.photographer_id
    if change.date is not None and change.date != before.date:
        now = await present_moment(unit.connection)
        values |= {"date": change.date, "expires_at": expiry(change.date, lifetime, now=now)}
    if change.event_code is not None:
        await set_event_code(event_id, change.event_code, unit=unit)
    if values:
        await events.change_event(unit.connection, event_id, values)
    after = await require_event(unit.connection, event_id)
    unit.publish(EventChanged(event_id=event_id))
    return after


async def set_event_code(event_id: int, code: str, *, unit: UnitOfWork) -> str:
    """Return the code as it was stored. Raises NotFound, InvalidInput when it is in use."""
    checked = checked_code(code)
    await events.lock_codes(unit.connection)
    if await events.code_in_use(unit.connection, checked, besides=event_id):
        raise CodeInUse(checked)
    if not await events.change_code(unit.connection, event_id, checked):
        raise NotFound("Event", event_id)
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

    For the event's photographer and admins. Raises NotFound, also for others' events.
    """
    event = await require_visible_event(unit.connection, principal, event_id)
    now = await present_moment(unit.connection)
    expires_at = expiry(event.date, lifetime, now=now)
    await events.change_event(unit.connection, event_id, {"expires_at": expires_at})
    photos = await events.count_photos(unit.connection, event_id)
    # Its photos' addresses are new ones: they carry the moment.
    unit.publish(EventChanged(event_id=event_id))
    if event.expires_at <= now:
        # Changes of the threshold have passed it by.
        unit.publish(RematchRequested(event_id=event_id))
    return NewExpiration(expires_at, photos)


async def delete_event(event_id: int, *, unit: UnitOfWork) -> None:
    """Delete an event with all its photos, faces and matches; the guests' accounts stay.

    Rows go now; objects, collections and what is in memory on the message. Raises NotFound.
    """
    if not await events.delete_event(unit.connection, event_id):
        raise NotFound("Event", event_id)
    message = EventDeleted(event_id=event_id)
    unit.publish(message)
    unit.publish_later(message, seconds=DELETE_AGAIN_SECONDS)


async def _require_photographer(user_id: int, unit: UnitOfWork) -> None:
    if not await events.lock_photographer(unit.connection, user_id):
        msg = f"There is no photographer with the id {user_id}."
        raise InvalidInput(msg)
