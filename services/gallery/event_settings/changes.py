"""An event's photographer says what it looks like, how long it lasts, and who sees what."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.clock import present_moment
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import NotFound
from libs.common.messaging.messages import EventChanged, RematchRequested
from libs.common.web.auth import Principal
from services.gallery.event_settings import repository
from services.gallery.event_settings.rules import (
    EventLook,
    EventSettings,
    checked_accent,
    checked_consent_text,
)
from services.gallery.events.access import require_visible_event
from services.gallery.events.changes import (
    delete_event,
    lock_new_code,
    set_event_code,
    set_time_zone,
    store_change,
)
from services.gallery.events.rules import Event, checked_name, chosen_end, expiry

#: What of an event is left as it is when it comes as it was: forms send it all.
Change = Mapping[str, Any]


async def event_look(connection: AsyncConnection, event_id: int) -> EventLook:
    """Return what an event's pages look like. Raises NotFound."""
    found = await repository.find_look(connection, event_id)
    if found is None:
        raise NotFound("Event", event_id)
    return found[0]


async def event_settings(
    connection: AsyncConnection, event_id: int, *, principal: Principal
) -> EventSettings:
    """Return what can be changed of the event. Raises NotFound, also for others', EventErased."""
    event = await require_visible_event(connection, principal, event_id)
    found = await repository.find_look(connection, event_id)
    if found is None:
        raise NotFound("Event", event_id)
    return EventSettings(event, *found)


async def change_settings(
    event_id: int, change: Change, *, principal: Principal, lifetime: timedelta, unit: UnitOfWork
) -> EventSettings:
    """Return the settings as they are now; only what the change names is other than before.

    Raises what `event_settings` does, and InvalidInput.
    """
    before = await require_visible_event(unit.connection, principal, event_id)
    cover = change.get("cover_photo_id")
    # Before the event, as whoever deletes a photo does.
    if cover is not None and not await repository.lock_photo(unit.connection, event_id, cover):
        raise NotFound("Photo", cover)
    now = await present_moment(unit.connection)
    values = _values(change, before, lifetime=lifetime, now=now)
    if (code := change.get("event_code")) is not None:
        await lock_new_code(code, before, unit=unit)
    if "time_zone" in change:
        values |= await set_time_zone(before, change["time_zone"], unit=unit)
    if values:
        await store_change(event_id, values, actor_id=principal.user_id, unit=unit)
    # Last: whoever has one of the event's photos may wait for a row whose code changes.
    if code is not None:
        await set_event_code(event_id, code, actor_id=principal.user_id, unit=unit)
    if change:
        unit.publish(EventChanged(event_id=event_id))
    after = await event_settings(unit.connection, event_id, principal=principal)
    if before.is_over and not after.event.is_over:
        # Changes of the threshold have passed it by.
        unit.publish(RematchRequested(event_id=event_id))
    return after


async def delete_own_event(event_id: int, *, principal: Principal, unit: UnitOfWork) -> None:
    """Delete an event that the caller runs, with all its photos, faces and matches.

    Raises NotFound, also for others' events, EventErased.
    """
    await require_visible_event(unit.connection, principal, event_id)
    await delete_event(event_id, actor_id=principal.user_id, unit=unit)


def _values(
    change: Change, before: Event, *, lifetime: timedelta, now: datetime
) -> dict[str, object]:
    """Return the columns that get other values. Raises InvalidInput."""
    values: dict[str, object] = {}
    if (name := change.get("name")) is not None and name != before.name:
        values["name"] = checked_name(name)
    date = change.get("date", before.date)
    if date != before.date:
        values["date"] = date
    if (end := change.get("expires_at")) is not None and end != before.expires_at:
        values["expires_at"] = chosen_end(end, date, now=now)
    elif "date" in values and date is not None and date > now:
        # One that lies ahead keeps its whole lifetime.
        values["expires_at"] = max(before.expires_at, expiry(date, lifetime, now=now))
    if "accent" in change:
        values["accent"] = change["accent"] and checked_accent(change["accent"])
    if "consent_text" in change:
        values["consent_text"] = change["consent_text"] and checked_consent_text(
            change["consent_text"]
        )
    if "cover_photo_id" in change:
        values["cover_photo_id"] = change["cover_photo_id"]
    for column in ("strip_metadata", "selected_only"):
        if change.get(column) is not None:
            values[column] = change[column]
    return values
