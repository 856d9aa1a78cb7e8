"""SQL of folder watchers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, insert, not_, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, watchers
from libs.common.rights.event_ends import is_erased, is_over

#: A program that has sent a photo within this time is at work, be it that it says nothing.
ACTIVE_SECONDS = 600
#: One that says that it is there does so four times a minute.
SEEN_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Watcher:
    """A folder on somebody's machine, and what was sent from it."""

    id: int
    event_id: int
    event_name: str
    label: str | None
    machine_label: str | None
    expected_path: str | None
    move_uploaded_dir: str | None
    listening: bool
    ingested: int
    failed: int
    last_error: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class OpenEvent:
    """An event that takes photos."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose watchers somebody may see and change; None for anybody's, in any event."""

    photographer_id: int | None
    event_id: int | None = None


def _may_change(reach: Reach) -> ColumnElement[bool]:
    conditions = []
    if reach.photographer_id is not None:
        conditions.append(events.c.photographer_id == reach.photographer_id)
    if reach.event_id is not None:
        conditions.append(events.c.id == reach.event_id)
    return and_(true(), *conditions)


async def find_watchers(
    connection: AsyncConnection,
    *,
    reach: Reach,
    event_id: int | None = None,
    machine_label: str | None = None,
    limit: int,
) -> Sequence[Watcher]:
    """Return the watchers within reach, newest first."""
    is_active = or_(
        watchers.c.last_upload_at > _ago(ACTIVE_SECONDS), watchers.c.seen_at > _ago(SEEN_SECONDS)
    )
    query = (
        select(
            watchers.c.id,
            watchers.c.event_id,
            events.c.name.label("event_name"),
            watchers.c.label,
            watchers.c.machine_label,
            watchers.c.expected_path,
            watchers.c.move_uploaded_dir,
            watchers.c.listening,
            watchers.c.ingested,
            watchers.c.failed,
            func.coalesce(watchers.c.problem, watchers.c.last_error).label("last_error"),
            func.coalesce(is_active, False).label("is_active"),
            watchers.c.created_at,
            watchers.c.updated_at,
        )
        .join(events, events.c.id == watchers.c.event_id)
        .where(_may_change(reach))
        .order_by(watchers.c.id.desc())
        .limit(limit)
    )
    if event_id is not None:
        query = query.where(watchers.c.event_id == event_id)
    if machine_label is not None:
        query = query.where(watchers.c.machine_label == machine_label)
    return [Watcher(**row._asdict()) for row in await connection.execute(query)]


def _ago(seconds: int) -> ColumnElement[datetime]:
    return func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)


async def find_open_events(
    connection: AsyncConnection, *, reach: Reach, limit: int
) -> Sequence[OpenEvent]:
    """Return the events within reach that take photos, newest first."""
    query = (
        select(events.c.id, events.c.name)
        .where(_may_change(reach), is_over().is_not(true()), not_(is_erased()))
        .order_by(events.c.id.desc())
        .limit(limit)
    )
    return [OpenEvent(row.id, row.name) for row in await connection.execute(query)]


async def lock_event(connection: AsyncConnection, event_id: int, *, reach: Reach) -> bool:
    """Whether there is such an event (of the photographer); it stays until the transaction ends."""
    found = await connection.scalar(
        select(events.c.id)
        .where(events.c.id == event_id, _may_change(reach))
        .with_for_update(key_share=True)
    )
    return found is not None


async def count_watchers(connection: AsyncConnection, event_id: int) -> int:
    """Return how many watchers the event has."""
    count = await connection.scalar(
        select(func.count()).select_from(watchers).where(watchers.c.event_id == event_id)
    )
    return int(count or 0)


async def add_watcher(connection: AsyncConnection, values: Mapping[str, object]) -> int:
    """Insert the row and return its id."""
    watcher_id: int = (
        await connection.execute(insert(watchers).values(dict(values)).returning(watchers.c.id))
    ).scalar_one()
    return watcher_id


async def change_watcher(
    connection: AsyncConnection,
    watcher_id: int,
    values: Mapping[str, object],
    *,
    reach: Reach,
) -> int | None:
    """Give the watcher's columns other values; return its event.

    None when there is none (of the photographer's).
    """
    event_id: int | None = await connection.scalar(
        update(watchers)
        .where(
            watchers.c.id == watcher_id,
            watchers.c.event_id == events.c.id,
            _may_change(reach),
        )
        .values({**values, "updated_at": func.now()})
        .returning(watchers.c.event_id)
    )
    return event_id


async def note_seen(
    connection: AsyncConnection, watcher_id: int, problem: str | None, *, reach: Reach
) -> bool:
    """Note that the watcher's program is there now; False when there is none (within reach)."""
    updated = await connection.execute(
        update(watchers)
        .where(watchers.c.id == watcher_id, watchers.c.event_id == events.c.id, _may_change(reach))
        .values(seen_at=func.now(), problem=problem)
    )
    return updated.rowcount > 0


async def delete_watcher(
    connection: AsyncConnection, watcher_id: int, *, reach: Reach
) -> int | None:
    """Delete the watcher; return its event, None when there is none (of the photographer's)."""
    event_id: int | None = await connection.scalar(
        delete(watchers)
        .where(
            watchers.c.id == watcher_id,
            watchers.c.event_id == events.c.id,
            _may_change(reach),
        )
        .returning(watchers.c.event_id)
    )
    return event_id


async def add_to_counts(
    connection: AsyncConnection,
    watcher_id: int,
    event_id: int,
    *,
    ingested: int,
    failed: int,
    last_error: str | None,
) -> None:
    """Count what the event's watcher has sent."""
    await connection.execute(
        update(watchers)
        .where(watchers.c.id == watcher_id, watchers.c.event_id == event_id)
        .values(
            ingested=watchers.c.ingested + ingested,
            failed=watchers.c.failed + failed,
            last_error=last_error,
            last_upload_at=func.now(),
        )
    )
