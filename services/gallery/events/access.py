"""The event that a route is about, for those who may see it."""

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.rights.access import may_view_event
from libs.common.web.tokens import Principal
from services.gallery.events import repository as events
from services.gallery.events.repository import EventRow


async def require_visible_event(
    connection: AsyncConnection, principal: Principal, event_id: int
) -> EventRow:
    """Return the event to its guests, its photographer and admins.

    Raises NotFound for everybody else, who are not told whether there is one.
    """
    event = await events.find_event(connection, event_id)
    if event is None or not await may_view_event(connection, principal, event_id):
        raise NotFound("Event", event_id)
    return event
