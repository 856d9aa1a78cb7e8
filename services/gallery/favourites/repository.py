"""Which photos a guest wants to find again."""

from collections.abc import Collection

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, favourites, photos
from libs.common.rights.event_ends import EventState, is_erased, is_over
from libs.common.rights.photos import may_see
from libs.common.web.auth import Principal


async def lock_seen_photo(
    connection: AsyncConnection, photo_id: int, principal: Principal
) -> tuple[int, EventState] | None:
    """Lock a photo that the caller may see; return its event, and what is left of that."""
    row = (
        await connection.execute(
            select(photos.c.event_id, is_over().label("is_over"), is_erased().label("is_erased"))
            .join(events, events.c.id == photos.c.event_id)
            .where(photos.c.id == photo_id, may_see(principal))
            .with_for_update(read=True, key_share=True, of=[events, photos])
        )
    ).one_or_none()
    return (row.event_id, EventState(row.is_over, row.is_erased)) if row else None


async def add(connection: AsyncConnection, user_id: int, photo_id: int) -> None:
    """Add a photo; one that is among them stays."""
    await connection.execute(
        insert(favourites).values(user_id=user_id, photo_id=photo_id).on_conflict_do_nothing()
    )


async def remove(connection: AsyncConnection, user_id: int, photo_id: int) -> bool:
    """Take a photo out; False when it is not among them."""
    done = await connection.execute(
        delete(favourites).where(favourites.c.user_id == user_id, favourites.c.photo_id == photo_id)
    )
    return bool(done.rowcount)


async def count(connection: AsyncConnection, user_id: int, event_id: int) -> int:
    """Return how many of the event there are."""
    query = select(func.count()).select_from(_of_event(event_id, user_id).subquery())
    return await connection.scalar(query) or 0


async def photo_ids(connection: AsyncConnection, user_id: int, event_id: int) -> Collection[int]:
    """Return those of the event, whether the guest may see them still or not."""
    return list(await connection.scalars(_of_event(event_id, user_id)))


def _of_event(event_id: int, user_id: int) -> Select[int]:
    return (
        select(favourites.c.photo_id)
        .join(photos, photos.c.id == favourites.c.photo_id)
        .where(favourites.c.user_id == user_id, photos.c.event_id == event_id)
    )
