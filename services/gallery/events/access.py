"""The event that a request is about, for those who may see it; and who joins it."""

from typing import Any

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.errors import NotAllowed, NotFound
from libs.common.limits.budgets import FAMILIAR, WRONG_CODES
from libs.common.limits.limiter import Limiter
from libs.common.limits.source import caller_source
from libs.common.registrations import EventCodeUnknown
from libs.common.rights.access import may_view_event
from libs.common.web.auth import Principal, Role
from services.gallery.events import repository as events
from services.gallery.events.rules import Event


async def require_event(connection: AsyncConnection, event_id: int) -> Event:
    """Return the event to somebody who may see all. Raises NotFound."""
    event = await events.find_event(connection, event_id)
    if event is None:
        raise NotFound("Event", event_id)
    return event


async def require_visible_event(
    connection: AsyncConnection, principal: Principal, event_id: int
) -> Event:
    """Return the event to its photographer and admins, and until it is over to its guests.

    Raises NotFound for everybody else, who are not told whether there is one, EventOver for its
    guests, and EventErased.
    """
    event = await events.find_event(connection, event_id)
    if event is None or not await may_view_event(connection, principal, event_id):
        raise NotFound("Event", event_id)
    event.state.require_open(event_id, runs_event=principal.role is not Role.PARTICIPANT)
    return event


async def events_run_by(connection: AsyncConnection, principal: Principal) -> list[Event]:
    """Return a photographer's events, or all to an admin, the newest first."""
    whose = None if principal.role is Role.ADMIN else principal.user_id
    return await events.all_events(connection, photographer_id=whose)


async def require_joined_event(connection: AsyncConnection, user_id: int, event_id: int) -> Event:
    """Return the event to a participant who has joined it. Raises NotAllowed, EventOver."""
    return open_to_guest(await events.find_joined_event(connection, user_id, event_id))


def of_joined_event(
    event_id: int | ColumnElement[int], user_id: int | ColumnElement[int]
) -> Select[*tuple[Any, ...]]:
    """The columns of an `Event` that the participant has joined, for a statement that asks more."""
    return events.joined_event(event_id, user_id)


def open_to_guest(joined: Event | None) -> Event:
    """Return the event that somebody has joined, if they have. Raises NotAllowed, EventOver."""
    if joined is None:
        msg = "You have not joined this event."
        raise NotAllowed(msg)
    joined.state.require_open(joined.id, runs_event=False)
    return joined


async def require_open_event(connection: AsyncConnection, code: str) -> Event:
    """Return the event with this code. Raises EventCodeUnknown, EventOver."""
    return await _open_event(connection, code, lock=False)


async def guessed_event(code: str, *, database: Database, limiter: Limiter) -> Event:
    """Return the open event with a code that somebody typed, who may be trying codes.

    Raises EventCodeUnknown, and TooManyRequests after too many of those from one address; EventOver
    for the code of an event that has ended, which is no guess.
    """
    source = caller_source()
    async with database.read() as connection:
        event = await events.find_event_by_code(connection, code)
    familiar = FAMILIAR.of("event", event.id, source) if event else None
    async with limiter.guess(WRONG_CODES.of(source), familiar=familiar) as guess:
        if event is None or familiar is None:
            guess.missed()
            raise EventCodeUnknown(code)
        await limiter.remember(familiar)
    event.state.require_open(event.id, runs_event=False)
    return event


async def join_open_event(
    connection: AsyncConnection, user_id: int, code: str
) -> tuple[Event, bool]:
    """Make a participant a member of the event with this code; False if they were one before.

    Raises EventCodeUnknown, EventOver. The account must be locked, so that it is not deleted
    meanwhile.
    """
    event = await _open_event(connection, code, lock=True)
    return event, await events.join(connection, user_id, event.id)


async def _open_event(connection: AsyncConnection, code: str, *, lock: bool) -> Event:
    event = await events.find_event_by_code(connection, code, lock=lock)
    if event is None:
        raise EventCodeUnknown(code)
    event.state.require_open(event.id, runs_event=False)
    return event
