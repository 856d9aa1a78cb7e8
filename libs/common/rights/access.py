"""Who may see or change an event, by its id, decided for all services.

Where the right is a part of a question to the database, that statement asks it: an event for those
who joined it (gallery's `events.repository.find_joined_event`), a photographer's photos to be
changed (`photos.repository`), a guest's selfie (media's `selfies.routes`).
"""

from sqlalchemy import exists, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, memberships
from libs.common.errors import NotAllowed, NotFound
from libs.common.web.auth import Principal, Role


async def is_enrolled(connection: AsyncConnection, user_id: int, event_id: int) -> bool:
    """Whether the participant has joined the event."""
    found = await connection.scalar(
        select(literal(1)).where(
            memberships.c.user_id == user_id, memberships.c.event_id == event_id
        )
    )
    return found is not None


async def require_event_owner(
    connection: AsyncConnection, principal: Principal, event_id: int
) -> None:
    """Let through admins and the event's photographer.

    Raises NotFound when there is no such event, NotAllowed when it is somebody else's.
    """
    row = (
        await connection.execute(select(events.c.photographer_id).where(events.c.id == event_id))
    ).one_or_none()
    if row is None:
        raise NotFound("Event", event_id)
    if principal.role is not Role.ADMIN and row.photographer_id != principal.user_id:
        msg = "This event belongs to another photographer."
        raise NotAllowed(msg)


async def may_view_event(connection: AsyncConnection, principal: Principal, event_id: int) -> bool:
    """Whether the caller is enrolled in the event, owns it, or is an admin."""
    if principal.role is Role.ADMIN:
        return True
    if principal.role is Role.PARTICIPANT:
        return await is_enrolled(connection, principal.user_id, event_id)
    owned = await connection.scalar(
        select(
            exists().where(events.c.id == event_id, events.c.photographer_id == principal.user_id)
        )
    )
    return bool(owned)


async def main_event_id(connection: AsyncConnection, user_id: int) -> int | None:
    """The participant's main event: the first one joined."""
    found: int | None = await connection.scalar(
        select(memberships.c.event_id)
        .where(memberships.c.user_id == user_id)
        .order_by(memberships.c.joined_at, memberships.c.event_id)
        .limit(1)
    )
    return found
