"""A participant joins a further event; the selfies they have are matched there too."""

from libs.common.database.database import UnitOfWork
from libs.common.errors import InvalidInput, NotAuthenticated
from libs.common.messaging.messages import SelfieUploaded
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.register_participant import EventCodeUnknown
from services.gallery.events import repository as events
from services.gallery.selfies import repository as selfies


async def join_event(user_id: int, code: str, *, unit: UnitOfWork) -> str:
    """Return the event's name. Raises EventCodeUnknown, InvalidInput when already in."""
    event = await events.find_open_event(unit.connection, code)
    if event is None:
        raise EventCodeUnknown(code)
    # A selfie that arrives at this moment must see the membership, or be seen here.
    if not await accounts.lock_account(unit.connection, user_id):
        msg = "This account is gone. Register again."
        raise NotAuthenticated(msg)
    if not await events.join(unit.connection, user_id, event.id):
        msg = f"You have already joined {event.name}."
        raise InvalidInput(msg)
    for selfie in await selfies.selfies_of(unit.connection, user_id):
        unit.publish(SelfieUploaded(event_id=event.id, user_id=user_id, selfie_id=selfie.id))
    return event.name
