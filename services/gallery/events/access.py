"""The event that a request is about, for those who may see it; and who joins it."""

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotAllowed, NotFound
from libs.common.rights.access import may_view_event
from libs.common.web.auth import Principal
from services.gallery.events import repository as events
from services.gallery.events.rules import Event, EventCodeUnknown


async def require_event(connection: AsyncConnection, event_id: int) -> Event:
    """Return the event to somebody who may see all. Raises NotFound."""
    event = await events.find_event(connection, event_id)
    if event is None:
        raise NotFound("Event", event_id)
    return event


async def require_visible_event(
    connection: AsyncConnection, principal: Principal, event_id: int
) -> Event:
    """Return the event to its guests, its photographer and admins.

    Raises NotFound for everybody else, who are not told whether there is one.
    """
    event = await events.find_event(connection, event_id)
    if event is None or not await may_view_event(connection, principal, event_id):
        raise NotFound("Event", event_id)
    return event


async def require_joined_event(connection: AsyncConnection, user_id: int, event_id: int) -> Event:
    """Return the event to a participant who has joined it. Raises NotAllowed."""
    event = await events.find_joined_event(connection, user_id, event_id)
    if event is None:
        msg = "You have not joined this event."
        raise NotAllowed(msg)
    return event


async def require_open_event(connection: AsyncConnection, code: str) -> Event:
    """Return the event with this code, unless it has expired. Raises EventCodeUnknown."""
    event = await events.find_open_event(connection, code)
    if event is None:
        raise EventCodeUnknown(code)
    return event


async def join_open_event(
    connection: AsyncConnection, user_id: int, code: str
) -> tuple[Event, bool]:
    """Make a participant a member of the event with this code; False if they were one before.

    Raises EventCodeUnknown. The account must be locked, so that it is not deleted meanwhile.
    """
    event = await events.find_open_event(connection, code, lock=True)
    if event is None:
        raise EventCodeUnknown(code)
    return event, await events.join(connection, user_id, event.id)
