"""Guests are told by mail that there are new photos of them."""

from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from libs.common.web.auth import Principal
from services.gallery.events.access import require_visible_event
from services.gallery.mail.queue import Addressee, queue_mails
from services.gallery.mail.rules import Template, usable_address
from services.gallery.notices import repository as notices


async def notify_guests(
    event_id: int, principal: Principal, *, dry_run: bool, unit: UnitOfWork
) -> int:
    """Queue one mail for each guest with new photos, an address, and no wish to be left alone.

    Returns how many get one, or would with `dry_run`. Raises NotFound for somebody else's event.
    """
    connection = unit.connection
    event = await require_visible_event(connection, principal, event_id)
    # Guests of an event that is over see none of its photos.
    event.state.require_open(event_id, runs_event=False)
    if dry_run:
        guests = await notices.guests_with_news(connection, event_id)
        return sum(usable_address(guest.email) is not None for guest in guests)
    photos = await notices.mark_as_told(connection, event_id)
    guests = await notices.find_guests(connection, list(photos))
    count = await queue_mails(
        connection,
        Template.PHOTOS_AVAILABLE,
        [
            Addressee(
                guest.user_id,
                guest.email,
                guest.language,
                {
                    "event": event.name,
                    "count": photos[guest.user_id],
                    "until": event.expires_at.isoformat(),
                },
            )
            for guest in guests
        ],
    )
    await record(
        connection,
        Action.MAIL_SENT_TO_GUESTS,
        actor_id=principal.user_id,
        event_id=event_id,
        details={"guests": count},
    )
    return count
