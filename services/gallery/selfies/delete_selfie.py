"""Remove a participant's selfie, its embeddings and its matches."""

from collections.abc import Sequence

from libs.common.database.database import UnitOfWork
from libs.common.errors import NotFound
from libs.common.messaging.messages import SelfieDeleted
from services.gallery.accounts import repository as accounts
from services.gallery.selfies import repository as selfies
from services.gallery.selfies.repository import SelfieRow


async def delete_selfie(user_id: int, *, selfie_id: int | None = None, unit: UnitOfWork) -> None:
    """Delete one selfie, or all; rows go now, objects and external faces on the messages.

    Raises NotFound, also for somebody else's.
    """
    await accounts.lock_account(unit.connection, user_id)
    event_ids = await selfies.events_of_selfies(unit.connection, user_id)
    deleted = await selfies.delete_selfies(unit.connection, user_id, selfie_id=selfie_id)
    if not deleted:
        raise NotFound("Selfie", selfie_id or user_id)
    publish_deleted(deleted, event_ids, user_id=user_id, unit=unit)


def publish_deleted(
    deleted: Sequence[SelfieRow], event_ids: Sequence[int], *, user_id: int, unit: UnitOfWork
) -> None:
    """Tell every event that knew the selfies."""
    for selfie in deleted:
        for message in SelfieDeleted.for_events(
            event_ids, user_id=user_id, selfie_id=selfie.id, object_key=selfie.object_key
        ):
            unit.publish(message)
