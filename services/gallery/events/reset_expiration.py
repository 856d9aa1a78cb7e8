"""Begin an event's lifetime anew, so that its photos can be seen for longer."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from libs.common.database.database import UnitOfWork
from libs.common.messaging.messages import EventChanged, RematchRequested
from libs.common.web.tokens import Principal
from services.gallery.events import repository as events
from services.gallery.events.access import require_visible_event
from services.gallery.events.create_event import expiry


@dataclass(frozen=True, slots=True)
class NewExpiration:
    """When the event ends now, and how many photos can be seen until then."""

    expires_at: datetime
    photos: int


async def reset_expiration(
    event_id: int, *, lifetime: timedelta, principal: Principal, unit: UnitOfWork
) -> NewExpiration:
    """For the event's photographer and admins. Raises NotFound, also for others' events."""
    event = await require_visible_event(unit.connection, principal, event_id)
    expires_at = expiry(event.date, lifetime)
    await events.change_event(unit.connection, event_id, {"expires_at": expires_at})
    counts = await events.count_photos_by_status(unit.connection, event_id)
    # Its photos' addresses are new ones: they carry the moment.
    unit.publish(EventChanged(event_id=event_id))
    if event.expires_at <= datetime.now(UTC):
        # Changes of the threshold have passed it by.
        unit.publish(RematchRequested(event_id=event_id))
    return NewExpiration(expires_at, sum(counts.values()))
