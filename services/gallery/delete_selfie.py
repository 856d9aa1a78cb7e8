"""Remove a participant's selfie, its embeddings and its matches."""

from libs.common.database import UnitOfWork
from libs.common.errors import NotFound
from libs.common.messages import SelfieDeleted
from services.gallery.repository import accounts, selfies

#: Stands for "no event" in a message that must name one: somebody who has joined none still
#: has an object in the store to be removed. No event has this id.
NO_EVENT_ID = 0


async def delete_selfie(user_id: int, *, unit: UnitOfWork) -> None:
    """Rows go now; objects and external faces on the messages. Raises NotFound."""
    await accounts.lock_account(unit.connection, user_id)
    event_ids = await selfies.events_of_selfies(unit.connection, user_id) or [NO_EVENT_ID]
    deleted = await selfies.delete_selfies(unit.connection, user_id)
    if not deleted:
        raise NotFound("Selfie", user_id)
    for selfie in deleted:
        for event_id in event_ids:
            unit.publish(
                SelfieDeleted(
                    event_id=event_id,
                    user_id=user_id,
                    selfie_id=selfie.id,
                    object_key=selfie.object_key,
                )
            )
