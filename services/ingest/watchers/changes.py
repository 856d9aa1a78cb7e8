"""Folder watchers are listed, made, changed and removed, by admins and for one's own events."""

from collections.abc import Mapping, Sequence

from libs.common.database.audit import Action, record
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import Conflict, NotFound
from libs.common.web.auth import Principal, Role
from services.ingest.watchers import repository as watchers
from services.ingest.watchers.repository import OpenEvent, Reach, Watcher

#: More cameras than any event has; whoever makes more is a program that went wrong.
MAX_WATCHERS_PER_EVENT = 200
MAX_LISTED = 5000


def _reach(principal: Principal) -> Reach:
    photographer_id = None if principal.role is Role.ADMIN else principal.user_id
    return Reach(photographer_id, principal.only_event_id)


async def list_watchers(
    principal: Principal, *, event_id: int | None, machine_label: str | None, database: Database
) -> Sequence[Watcher]:
    """Return the watchers of the caller's events, of all for an admin; newest first."""
    async with database.read() as connection:
        return await watchers.find_watchers(
            connection,
            reach=_reach(principal),
            event_id=event_id,
            machine_label=machine_label,
            limit=MAX_LISTED,
        )


async def list_open_events(principal: Principal, *, database: Database) -> Sequence[OpenEvent]:
    """Return the events that the caller may send photos to, of all for an admin; newest first."""
    async with database.read() as connection:
        return await watchers.find_open_events(
            connection, reach=_reach(principal), limit=MAX_LISTED
        )


async def note_seen(
    principal: Principal, watcher_id: int, problem: str | None, *, database: Database
) -> None:
    """Note that a watcher's program is there. Raises NotFound when it is none of the caller's.

    Nobody changes anything by it, so it is no line of the audit.
    """
    async for attempt in database.attempts():
        async with attempt as unit:
            if not await watchers.note_seen(
                unit.connection, watcher_id, problem, reach=_reach(principal)
            ):
                raise NotFound("Watcher", watcher_id)


async def create_watcher(
    principal: Principal, event_id: int, values: Mapping[str, object], *, database: Database
) -> int:
    """Return the new watcher's id. Raises NotFound for an event that is not the caller's."""
    async for attempt in database.attempts():
        async with attempt as unit:
            connection = unit.connection
            if not await watchers.lock_event(connection, event_id, reach=_reach(principal)):
                raise NotFound("Event", event_id)
            if await watchers.count_watchers(connection, event_id) >= MAX_WATCHERS_PER_EVENT:
                msg = (
                    f"This event has {MAX_WATCHERS_PER_EVENT} watchers already."
                    " Delete one that is not used any more."
                )
                raise Conflict(msg)
            watcher_id = await watchers.add_watcher(connection, {"event_id": event_id, **values})
            await _record(unit, Action.WATCHER_CREATED, principal, watcher_id, event_id)
    return watcher_id


async def change_watcher(
    principal: Principal, watcher_id: int, values: Mapping[str, object], *, database: Database
) -> None:
    """Raises NotFound when there is no such watcher in the caller's events."""
    async for attempt in database.attempts():
        async with attempt as unit:
            event_id = await watchers.change_watcher(
                unit.connection, watcher_id, values, reach=_reach(principal)
            )
            if event_id is None:
                raise NotFound("Watcher", watcher_id)
            await _record(unit, Action.WATCHER_CHANGED, principal, watcher_id, event_id)


async def delete_watcher(principal: Principal, watcher_id: int, *, database: Database) -> None:
    """Raises NotFound when there is no such watcher in the caller's events."""
    async for attempt in database.attempts():
        async with attempt as unit:
            event_id = await watchers.delete_watcher(
                unit.connection, watcher_id, reach=_reach(principal)
            )
            if event_id is None:
                raise NotFound("Watcher", watcher_id)
            await _record(unit, Action.WATCHER_DELETED, principal, watcher_id, event_id)


async def _record(
    unit: UnitOfWork, action: Action, principal: Principal, watcher_id: int, event_id: int
) -> None:
    await record(
        unit.connection,
        action,
        actor_id=principal.user_id,
        event_id=event_id,
        object_id=watcher_id,
    )
