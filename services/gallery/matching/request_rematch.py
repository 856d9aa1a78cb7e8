"""Have all selfies of an event matched again."""

from libs.common.database.database import UnitOfWork
from libs.common.messaging.messages import RematchRequested
from libs.common.web.tokens import Principal
from services.gallery.events.access import require_visible_event


async def request_rematch(event_id: int, *, principal: Principal, unit: UnitOfWork) -> None:
    """For the event's photographer and admins. Raises NotFound, also for others' events."""
    await require_visible_event(unit.connection, principal, event_id)
    unit.publish(RematchRequested(event_id=event_id))
