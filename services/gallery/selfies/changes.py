"""Selfies are removed with their embeddings and matches, and matched in further events."""

from collections.abc import Sequence

from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import NotFound
from libs.common.messaging.messages import SelfieDeleted, SelfieUploaded
from services.gallery.selfies import repository as selfies
from services.gallery.selfies.repository import SelfieRow


async def delete_selfie(user_id: int, selfie_id: int, *, unit: UnitOfWork) -> None:
    """Rows go now, objects and external faces on the messages.

    Raises NotFound, also for somebody else's.
    """
    await selfies.lock_guest(unit.connection, user_id)
    event_ids = await selfies.events_of_selfies(unit.connection, user_id)
    deleted = await selfies.delete_selfies(unit.connection, user_id, selfie_id=selfie_id)
    if not deleted:
        raise NotFound("Selfie", selfie_id)
    await _record(user_id, deleted, unit)
    _publish_deleted(deleted, event_ids, user_id, unit)


async def delete_own_selfies(user_id: int, *, unit: UnitOfWork) -> None:
    """Remove all selfies of a guest. Raises NotFound when there is none."""
    await selfies.lock_guest(unit.connection, user_id)
    found = await selfies.selfies_of(unit.connection, user_id)
    if not found:
        raise NotFound("Selfie", user_id)
    await delete_all_selfies(user_id, unit=unit)
    await _record(user_id, found, unit)


async def delete_all_selfies(user_id: int, *, unit: UnitOfWork) -> list[int]:
    """Remove the selfies there are; the account must be locked.

    Returns the events that know, or will know, the guest's selfies.
    """
    event_ids = await selfies.events_of_selfies(unit.connection, user_id)
    deleted = await selfies.delete_selfies(unit.connection, user_id)
    _publish_deleted(deleted, event_ids, user_id, unit)
    return event_ids


async def match_selfies_in(event_id: int, *, user_id: int, unit: UnitOfWork) -> None:
    """Have all selfies of a guest matched in an event that they have joined."""
    for selfie in await selfies.selfies_of(unit.connection, user_id):
        unit.publish(SelfieUploaded(event_id=event_id, user_id=user_id, selfie_id=selfie.id))


async def _record(user_id: int, deleted: Sequence[SelfieRow], unit: UnitOfWork) -> None:
    for selfie in deleted:
        await record(
            unit.connection,
            Action.SELFIE_DELETED,
            actor_id=user_id,
            account_id=user_id,
            object_id=selfie.id,
        )


def _publish_deleted(
    deleted: Sequence[SelfieRow], event_ids: Sequence[int], user_id: int, unit: UnitOfWork
) -> None:
    for selfie in deleted:
        for message in SelfieDeleted.for_events(
            event_ids, user_id=user_id, selfie_id=selfie.id, object_key=selfie.object_key
        ):
            unit.publish(message)
