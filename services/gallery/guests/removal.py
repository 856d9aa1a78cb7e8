"""Who runs an event takes a guest out of it."""

from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import NotFound
from libs.common.messaging.messages import MatchChanged
from libs.common.web.auth import Principal, Role
from services.gallery.accounts.changes import delete_account
from services.gallery.events.access import require_visible_event
from services.gallery.guests import repository as guests


async def remove_guest(
    event_id: int, user_id: int, *, principal: Principal, unit: UnitOfWork
) -> None:
    """Take a guest out, with what was found of them; a guest's account that is left empty goes.

    One with a password, or of other events, stays, with its selfies. The event's code lets them in
    again. Raises NotFound, also for others' events.
    """
    connection = unit.connection
    await require_visible_event(connection, principal, event_id)
    # As it is made and changed: a selfie that arrives at this moment waits.
    person = await guests.find_person(connection, user_id, lock=True)
    joined = await guests.events_joined(connection, user_id)
    if person is None or person.role is not Role.PARTICIPANT or event_id not in joined:
        raise NotFound("Guest", user_id)
    await record(
        connection,
        Action.GUEST_REMOVED,
        actor_id=principal.user_id,
        account_id=user_id,
        event_id=event_id,
    )
    if joined == {event_id} and not person.has_password:
        await delete_account(user_id, actor_id=principal.user_id, unit=unit)
        return
    await guests.leave_event(connection, user_id, event_id)
    unit.publish(MatchChanged(event_id=event_id, user_ids=(user_id,)))
