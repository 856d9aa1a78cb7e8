"""Delete an event with all its photos, faces and matches."""

from libs.common.database.database import UnitOfWork
from libs.common.errors import NotFound
from libs.common.messaging.messages import EventDeleted
from services.gallery.deleting import LOOK_AGAIN_SECONDS
from services.gallery.events import repository as events


async def delete_event(event_id: int, unit: UnitOfWork) -> None:
    """Rows go now; objects, collections and what is in memory on the message. Raises NotFound."""
    if not await events.delete_event(unit.connection, event_id):
        raise NotFound("Event", event_id)
    message = EventDeleted(event_id=event_id)
    unit.publish(message)
    unit.publish_later(message, seconds=LOOK_AGAIN_SECONDS)
