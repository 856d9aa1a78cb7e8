"""Change what an admin said of an event when they created it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.common.database.database import UnitOfWork
from libs.common.errors import NotFound
from libs.common.messaging.messages import EventChanged
from services.gallery.events import repository as events
from services.gallery.events.create_event import (
    checked_name,
    expiry,
    require_photographer,
    set_event_code,
)
from services.gallery.events.repository import EventRow


@dataclass(frozen=True, slots=True)
class EventChange:
    """What the event is to have from now on; None leaves what it has."""

    name: str | None = None
    event_code: str | None = None
    date: datetime | None = None
    photographer_id: int | None = None


async def change_event(
    event_id: int, change: EventChange, *, lifetime: timedelta, unit: UnitOfWork
) -> EventRow:
    """Return the event as it is now; another date begins its lifetime anew.

    Raises NotFound, and InvalidInput as `create_event` does.
    """
    before = await events.find_event(unit.connection, event_id)
    if before is None:
        raise NotFound("Event", event_id)
    values: dict[str, object] = {}
    if change.name is not None:
        values["name"] = checked_name(change.name)
    if change.photographer_id is not None:
        await require_photographer(change.photographer_id, unit=unit)
        values["photographer_id"] = change.photographer_id
    if change.date is not None and change.date != before.date:
        values |= {"date": change.date, "expires_at": expiry(change.date, lifetime)}
    if change.event_code is not None:
        await set_event_code(event_id, change.event_code, unit=unit)
    if values:
        await events.change_event(unit.connection, event_id, values)
    after = await events.find_event(unit.connection, event_id)
    if after is None:
        raise NotFound("Event", event_id)
    unit.publish(EventChanged(event_id=event_id))
    return after
