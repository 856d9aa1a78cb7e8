"""Who may see or change an event, by its id, decided for all services.

Where the right is a part of a question to the database, that statement asks it: an event for those
who joined it (gallery's `events.repository.find_joined_event`), a photographer's photos to be
changed (`photos.repository`), a guest's selfie (media's `selfies.routes`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from sqlalchemy import ARRAY, BigInteger, exists, func, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.compiled import CompiledRead, parameter
from libs.common.database.tables import events, memberships
from libs.common.errors import NotAllowed, NotFound
from libs.common.rights.event_ends import EventState, is_erased, is_over
from libs.common.web.auth import Principal, Role

#: How an event's photographer wants bytes treated that come again: as a photo that is there if
#: that came minutes ago, or whenever it came.
EventDuplicates = Literal["window", "event"]


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """An event that is uploaded to: whose photos these are, and its rule for duplicates if any."""

    photographer_id: int | None
    duplicates: EventDuplicates | None


async def is_enrolled(connection: AsyncConnection, user_id: int, event_id: int) -> bool:
    """Whether the participant has joined the event."""
    found = await connection.scalar(
        select(literal(1)).where(
            memberships.c.user_id == user_id, memberships.c.event_id == event_id
        )
    )
    return found is not None


async def require_event_to_upload_to(
    connection: AsyncConnection, principal: Principal, event_id: int, *, to_look: bool = False
) -> UploadTarget:
    """Let through admins and the event's photographer; return what uploads need of the event.

    `to_look` also at one that has ended, for the grace period.

    Raises NotFound when there is no such event, NotAllowed when it is somebody else's, EventOver
    when nothing comes into it any more.
    """
    row = (
        await connection.execute(
            select(
                events.c.photographer_id,
                events.c.duplicates,
                is_over().label("is_over"),
                is_erased().label("is_erased"),
            ).where(events.c.id == event_id)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("Event", event_id)
    if principal.only_event_id not in (None, event_id):
        msg = "This API key is for another event."
        raise NotAllowed(msg)
    if principal.role is not Role.ADMIN and row.photographer_id != principal.user_id:
        msg = "This event belongs to another photographer."
        raise NotAllowed(msg)
    EventState(row.is_over, row.is_erased).require_open(event_id, runs_event=to_look)
    return UploadTarget(row.photographer_id, row.duplicates)


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


async def photographers_of(
    connection: AsyncConnection, event_ids: Collection[int]
) -> dict[int, int | None]:
    """Return who runs each of the events that there are."""
    rows = await connection.execute(
        select(events.c.id, events.c.photographer_id).where(events.c.id.in_(event_ids))
    )
    return {row[0]: row[1] for row in rows}


async def members_of(
    connection: AsyncConnection, watching: Mapping[int, Collection[int]]
) -> dict[int, set[int]]:
    """Return which of these guests of these events have joined them, by event."""
    rows = await connection.execute(
        select(memberships.c.event_id, memberships.c.user_id).where(
            memberships.c.event_id.in_(watching),
            memberships.c.user_id.in_(set[int]().union(*watching.values())),
        )
    )
    found: dict[int, set[int]] = {}
    for row in rows:
        found.setdefault(row.event_id, set()).add(row.user_id)
    return found


async def main_event_ids(connection: AsyncConnection, user_ids: Collection[int]) -> dict[int, int]:
    """Participants' main events: the first one joined that is not over, of those who joined any."""
    rows = await _main_events().execute(connection, user_ids=list(user_ids))
    return dict(map(tuple, rows))


@cache
def _main_events() -> CompiledRead:
    user_ids = parameter("user_ids", ARRAY(BigInteger))
    return CompiledRead(
        select(memberships.c.user_id, memberships.c.event_id)
        .ext(distinct_on(memberships.c.user_id))
        .join(events, events.c.id == memberships.c.event_id)
        .where(memberships.c.user_id == func.any(user_ids))
        .order_by(memberships.c.user_id, is_over(), memberships.c.joined_at, memberships.c.event_id)
    )
