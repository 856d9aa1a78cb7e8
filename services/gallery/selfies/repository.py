"""A participant's selfie and how far its matching is."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, memberships, selfie_indexes, selfies, users
from libs.common.rights.event_ends import is_erased, is_over
from services.gallery.selfies.rules import SelfieInEvent


@dataclass(frozen=True, slots=True)
class SelfieRow:
    """A selfie and where its object lies."""

    id: int
    created_at: datetime
    object_key: str


async def lock_guest(connection: AsyncConnection, user_id: int) -> None:
    """Make others wait who change the guest's selfies, or join them to an event."""
    await connection.execute(
        select(users.c.id).where(users.c.id == user_id).with_for_update(key_share=True)
    )


async def selfies_of(connection: AsyncConnection, user_id: int) -> list[SelfieRow]:
    """Return the participant's selfies, all of which are matched, the newest first."""
    rows = await connection.execute(
        select(selfies.c.id, selfies.c.created_at, selfies.c.object_key)
        .where(selfies.c.user_id == user_id)
        .order_by(selfies.c.id.desc())
    )
    return [SelfieRow(**row._asdict()) for row in rows]


async def selfies_in_events(connection: AsyncConnection, user_id: int) -> list[SelfieInEvent]:
    """Return every selfie's state in every joined event that is not over."""
    rows = await connection.execute(
        select(
            memberships.c.event_id,
            func.greatest(selfies.c.created_at, memberships.c.joined_at).label("due_since"),
            selfie_indexes.c.status,
            selfie_indexes.c.finished_at,
            func.coalesce(selfie_indexes.c.matched, 0).label("matched"),
            selfie_indexes.c.error,
        )
        .select_from(memberships)
        .join(events, events.c.id == memberships.c.event_id)
        .join(selfies, selfies.c.user_id == memberships.c.user_id)
        .outerjoin(
            selfie_indexes,
            and_(
                selfie_indexes.c.selfie_id == selfies.c.id,
                selfie_indexes.c.event_id == memberships.c.event_id,
            ),
        )
        .where(memberships.c.user_id == user_id, ~is_over(), ~is_erased())
    )
    return [SelfieInEvent(**row._asdict()) for row in rows]


async def events_of_selfies(connection: AsyncConnection, user_id: int) -> list[int]:
    """Return the events that know, or will know, the participant's selfies."""
    joined = select(memberships.c.event_id).where(memberships.c.user_id == user_id)
    indexed = (
        select(selfie_indexes.c.event_id)
        .join(selfies, selfies.c.id == selfie_indexes.c.selfie_id)
        .where(selfies.c.user_id == user_id)
    )
    return sorted(await connection.scalars(union(joined, indexed)))


async def delete_selfies(
    connection: AsyncConnection, user_id: int, *, selfie_id: int | None = None
) -> list[SelfieRow]:
    """Delete the participant's selfies or one, and by cascade their embeddings and matches."""
    statement = (
        delete(selfies)
        .where(selfies.c.user_id == user_id)
        .returning(selfies.c.id, selfies.c.created_at, selfies.c.object_key)
    )
    if selfie_id is not None:
        statement = statement.where(selfies.c.id == selfie_id)
    rows = await connection.execute(statement)
    return [SelfieRow(**row._asdict()) for row in rows]
