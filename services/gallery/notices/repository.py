"""Which guests were told of which photos, so that nobody is told of one twice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import memberships, photo_notices, users
from libs.common.rights.counted_matches import guest_photos


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest who can be told by mail."""

    user_id: int
    email: str
    language: str | None


async def guests_with_news(connection: AsyncConnection, event_id: int) -> list[Guest]:
    """Return the guests of whom there are photos that they were not told of yet."""
    news = _untold(event_id).subquery()
    return await _guests(connection, select(news.c.user_id).distinct())


async def mark_as_told(connection: AsyncConnection, event_id: int) -> Counter[int]:
    """Return how many photos each guest is to be told of; they are told of each only once.

    Of two who do it at once, the second waits, and tells of what the first one did not.
    """
    marked = await connection.scalars(
        insert(photo_notices)
        .from_select(["user_id", "photo_id"], _untold(event_id))
        .on_conflict_do_nothing()
        .returning(photo_notices.c.user_id)
    )
    return Counter(marked)


async def find_guests(connection: AsyncConnection, user_ids: Sequence[int]) -> list[Guest]:
    """Return these guests."""
    return await _guests(connection, list(user_ids))


async def _guests(
    connection: AsyncConnection, user_ids: Sequence[int] | Select[int]
) -> list[Guest]:
    rows = await connection.execute(
        select(users.c.id, users.c.email, users.c.language)
        .where(users.c.id.in_(user_ids), users.c.email.is_not(None))
        .order_by(users.c.id)
    )
    return [Guest(row[0], row[1], row[2]) for row in rows]


def _untold(event_id: int) -> Select[int, int]:
    """Rows (user_id, photo_id) of guests who have an address and want to be told."""
    shown = guest_photos(event_id)
    is_told = (
        select(photo_notices.c.photo_id)
        .where(
            photo_notices.c.user_id == shown.c.user_id, photo_notices.c.photo_id == shown.c.photo_id
        )
        .exists()
    )
    return (
        select(shown.c.user_id, shown.c.photo_id)
        .join(users, users.c.id == shown.c.user_id)
        .join(
            memberships,
            and_(memberships.c.user_id == shown.c.user_id, memberships.c.event_id == event_id),
        )
        .where(users.c.email.is_not(None), users.c.is_active, users.c.wants_news, ~is_told)
        .distinct()
        .order_by(shown.c.user_id, shown.c.photo_id)
    )
