"""A guest in many photos at once, by the photographer's word."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, match_overrides, memberships, photos, users
from libs.common.rights.guest_photos import ADDED, NOT_ME


@dataclass(frozen=True, slots=True)
class Additions:
    """What became of it, in photos: new ones, those denied by the guest, those said before."""

    new: int
    denied: int
    before: int


async def lock_guest(connection: AsyncConnection, user_id: int, event_id: int) -> bool:
    """Keep the guest and the event from being deleted; False unless they joined it."""
    found = await connection.scalar(
        select(literal(1))
        .select_from(events)
        .join(memberships, memberships.c.event_id == events.c.id)
        .join(users, users.c.id == memberships.c.user_id)
        .where(events.c.id == event_id, users.c.id == user_id)
        # In the order in which deletions lock what they take with them; photos come next.
        .with_for_update(read=True, key_share=True, of=[events, users])
    )
    return found is not None


async def add_to_photos(
    connection: AsyncConnection,
    user_id: int,
    event_id: int,
    photo_ids: Sequence[int],
    *,
    added_by: int,
) -> Additions:
    """Record that the guest is in these photos; what was said of any before stays.

    Photos that are gone, or another event's, are left out. Call `lock_guest` first.
    """
    wanted = photos.c.id == func.any(bindparam("photo_ids", list(photo_ids), ARRAY(BigInteger)))
    there: list[int] = list(
        await connection.scalars(
            select(photos.c.id)
            .where(photos.c.event_id == event_id, wanted)
            .order_by(photos.c.id)
            .with_for_update(read=True, key_share=True)
        )
    )
    ids = bindparam("ids", there, ARRAY(BigInteger))
    key = (match_overrides.c.user_id, match_overrides.c.event_id, match_overrides.c.photo_id)
    added = await connection.execute(
        insert(match_overrides)
        .from_select(
            [*key, match_overrides.c.verdict, match_overrides.c.added_by],
            select(
                literal(user_id, BigInteger),
                literal(event_id, BigInteger),
                func.unnest(ids),
                literal(ADDED),
                literal(added_by, BigInteger),
            ),
        )
        .on_conflict_do_nothing()
    )
    denied = await connection.scalar(
        select(func.count()).where(
            match_overrides.c.user_id == user_id,
            match_overrides.c.event_id == event_id,
            match_overrides.c.photo_id == func.any(ids),
            match_overrides.c.verdict == NOT_ME,
        )
    )
    return Additions(added.rowcount, denied or 0, len(there) - added.rowcount - (denied or 0))


async def photos_settled_of(
    connection: AsyncConnection, event_id: int, photo_ids: Sequence[int]
) -> dict[int, set[int]]:
    """Return for each guest who was added to any of these photos where it is settled.

    That is where somebody added them, or they said that it is not them.
    """
    rows = await connection.execute(
        select(
            match_overrides.c.user_id, match_overrides.c.photo_id, match_overrides.c.verdict
        ).where(
            match_overrides.c.event_id == event_id,
            match_overrides.c.photo_id
            == func.any(bindparam("photo_ids", list(photo_ids), ARRAY(BigInteger))),
        )
    )
    settled: dict[int, set[int]] = {}
    added = set()
    for row in rows:
        settled.setdefault(row.user_id, set()).add(row.photo_id)
        if row.verdict == ADDED:
            added.add(row.user_id)
    return {user_id: settled[user_id] for user_id in added}
