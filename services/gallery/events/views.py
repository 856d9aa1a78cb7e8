"""How an event is answered."""

from services.gallery.events.rules import Event, JoinedEvent
from services.gallery.web.answers import View


def event_view(event: Event) -> View:
    """Return `event`."""
    return {
        "id": event.id,
        "name": event.name,
        "event_code": event.event_code,
        "date": event.date,
        "photographer_id": event.photographer_id,
        "expires_at": event.expires_at,
        "strip_metadata": event.strip_metadata,
        "duplicates": event.duplicates,
        "time_zone": event.time_zone,
    }


def joined_event_view(joined: JoinedEvent) -> View:
    """Return `event` as a participant sees it."""
    view = event_view(joined.event)
    del view["photographer_id"], view["strip_metadata"], view["duplicates"]
    view["joined_at"] = joined.joined_at
    return view
