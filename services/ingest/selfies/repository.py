"""SQL of selfies that are uploaded, and of those that they replace."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, matches, memberships, selfie_indexes, selfies, users
from libs.common.rights.counted_matches import threshold_of
from libs.common.rights.event_ends import EventOver, is_erased, is_over


@dataclass(frozen=True, slots=True)
class NewSelfie:
    """A selfie's row as ingest makes it."""

    user_id: int
    filename: str
    object_key: str
    content_type: str
    sha256: bytes
    size_bytes: int
    engine: str | None
    embedding: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class OldSelfie:
    """A selfie that was removed, and the events that had indexed it."""

    id: int
    object_key: str
    event_ids: tuple[int, ...]


async def lock_user(connection: AsyncConnection, user_id: int) -> bool:
    """Let one transaction at a time change what belongs to the user; False if there is none."""
    found = await connection.scalar(
        select(users.c.id).where(users.c.id == user_id).with_for_update()
    )
    return found is not None


@dataclass(frozen=True, slots=True)
class JoinedEvents:
    """The events that a user has joined, and those of them that are not over."""

    all: tuple[int, ...]
    open: tuple[int, ...]

    def require_open(self) -> None:
        """Raises EventOver for who joined some, all of which are over: a selfie finds nothing."""
        if self.all and not self.open:
            raise EventOver(self.all[0])


async def joined_events(connection: AsyncConnection, user_id: int) -> JoinedEvents:
    """Return the events that the user has joined."""
    rows = (
        await connection.execute(
            select(memberships.c.event_id, or_(is_over(), is_erased()).label("is_closed"))
            .join(events, events.c.id == memberships.c.event_id)
            .where(memberships.c.user_id == user_id)
            .order_by(memberships.c.event_id)
        )
    ).all()
    return JoinedEvents(
        all=tuple(row.event_id for row in rows),
        open=tuple(row.event_id for row in rows if not row.is_closed),
    )


async def remove_selfies(
    connection: AsyncConnection, user_id: int
) -> tuple[Sequence[OldSelfie], int]:
    """Delete the user's selfies, with their embeddings and matches (by cascade).

    Returns the selfies, and how many photos they were alike.
    """
    events_of = (
        select(func.array_agg(selfie_indexes.c.event_id))
        .where(selfie_indexes.c.selfie_id == selfies.c.id)
        .scalar_subquery()
    )
    rows = await connection.execute(
        select(selfies.c.id, selfies.c.object_key, events_of.label("event_ids")).where(
            selfies.c.user_id == user_id
        )
    )
    old = [OldSelfie(row.id, row.object_key, tuple(row.event_ids or ())) for row in rows]
    ids = [selfie.id for selfie in old]
    matched = await connection.scalar(
        select(func.count(matches.c.photo_id.distinct())).where(
            matches.c.selfie_id.in_(ids),
            matches.c.similarity >= threshold_of(matches.c.event_id),
        )
    )
    await connection.execute(delete(selfies).where(selfies.c.id.in_(ids)))
    return old, int(matched or 0)


async def has_selfie(connection: AsyncConnection, filename: str) -> bool:
    """Whether a selfie is stored under this name."""
    found = await connection.scalar(select(selfies.c.id).where(selfies.c.filename == filename))
    return found is not None


async def count_selfies(connection: AsyncConnection, user_id: int) -> int:
    """How many selfies the user has."""
    count = await connection.scalar(
        select(func.count()).select_from(selfies).where(selfies.c.user_id == user_id)
    )
    return int(count or 0)


async def add_selfie(connection: AsyncConnection, selfie: NewSelfie) -> int:
    """Insert the row and return its id."""
    selfie_id: int = (
        await connection.execute(
            insert(selfies)
            .values({column: getattr(selfie, column) for column in selfie.__slots__})
            .returning(selfies.c.id)
        )
    ).scalar_one()
    return selfie_id
