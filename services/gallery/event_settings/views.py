"""How an event's look is answered."""

from datetime import UTC, datetime

from services.gallery.event_settings.rules import EventLook
from services.gallery.events.links import PhotoLinks
from services.gallery.events.rules import Event
from services.gallery.web.answers import View


def cover_url(event: Event, look: EventLook, links: PhotoLinks) -> str | None:
    """Return where the cover is had, made smaller, by whoever is told of it; None without one."""
    if look.cover is None:
        return None
    return links.of_cover(event.id, look.cover.filename, event.end, now=datetime.now(UTC))


def look_view(event: Event, look: EventLook, links: PhotoLinks) -> View:
    """Return what whoever has the event's code sees and reads of it."""
    return {
        "accent": look.accent,
        "consent_text": look.consent_text,
        "cover_url": cover_url(event, look, links),
    }
