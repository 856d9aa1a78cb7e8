"""Delete an account with its selfies, their embeddings and matches."""

from libs.common.database.database import UnitOfWork
from libs.common.errors import Conflict, NotFound
from libs.common.messaging.messages import AccountDeleted
from libs.common.web.tokens import Role
from services.gallery.accounts import repository as accounts
from services.gallery.deleting import LOOK_AGAIN_SECONDS
from services.gallery.selfies import repository as selfies
from services.gallery.selfies.delete_selfie import publish_deleted


async def delete_account(user_id: int, unit: UnitOfWork) -> None:
    """Rows go now; objects and external faces on the messages.

    Photos that a photographer uploaded stay with their events. Raises NotFound, and Conflict
    for the last admin and for photographers who have events.
    """
    connection = unit.connection
    admins = await accounts.lock_admins(connection)
    role = await accounts.lock_for_deletion(connection, user_id)
    if role is None:
        raise NotFound("User", user_id)
    if role is Role.ADMIN and admins == [user_id]:
        msg = "This is the last admin. Create another one first."
        raise Conflict(msg)
    if owned := await accounts.count_owned_events(connection, user_id):
        these = "an event" if owned == 1 else f"{owned} events"
        msg = (
            f"This account runs {these}. An admin has to give them to another photographer,"
            " or delete them, first."
        )
        raise Conflict(msg)
    event_ids = await selfies.events_of_selfies(connection, user_id)
    deleted = await selfies.delete_selfies(connection, user_id)
    await accounts.delete_account(connection, user_id)
    publish_deleted(deleted, event_ids, user_id=user_id, unit=unit)
    for message in AccountDeleted.for_events(event_ids, user_id=user_id):
        unit.publish(message)
    unit.publish_later(
        AccountDeleted(event_id=AccountDeleted.no_event_id, user_id=user_id),
        seconds=LOOK_AGAIN_SECONDS,
    )
