"""SQL of photos that somebody takes along."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, select, true
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import downloads, events, photos, users
from libs.common.photo_downloads import Folders
from libs.common.rights.counted_matches import guest_photos
from libs.common.rights.photos import may_see
from libs.common.web.auth import Principal


def showing(event_id: int, user_id: int) -> ColumnElement[bool]:
    """Which photos of the event show the guest."""
    return photos.c.id.in_(select(guest_photos(event_id, user_id=user_id).c.photo_id))


def named(photo_ids: Collection[int]) -> ColumnElement[bool]:
    """Which photos are those."""
    return photos.c.id == func.any(list(photo_ids))


def any_photo() -> ColumnElement[bool]:
    """Whichever photo it is."""
    return true()


async def keep_both(connection: AsyncConnection, user_id: int, event_id: int) -> tuple[bool, bool]:
    """Whether account and event are there, neither of which is deleted before the end."""
    found = []
    for table, row_id in ((users, user_id), (events, event_id)):
        query = select(table.c.id).where(table.c.id == row_id)
        kept = await connection.scalar(query.with_for_update(read=True, key_share=True))
        found.append(kept is not None)
    return found[0], found[1]


async def find_photos(
    connection: AsyncConnection,
    principal: Principal,
    event_id: int,
    choice: ColumnElement[bool],
    *,
    limit: int,
) -> list[int]:
    """Return the ids of the event's photos that are chosen and that the caller may see."""
    query = (
        select(photos.c.id)
        .join(events, events.c.id == photos.c.event_id)
        .where(photos.c.event_id == event_id, choice, may_see(principal))
        .order_by(photos.c.id)
        .limit(limit)
    )
    return list(await connection.scalars(query))


async def photographers_of(
    connection: AsyncConnection, photo_ids: Collection[int]
) -> dict[int, str]:
    """Return the names of those who uploaded the photos."""
    of_photos = select(photos.c.photographer_id).where(named(photo_ids))
    rows = await connection.execute(
        select(users.c.id, users.c.username).where(users.c.id.in_(of_photos))
    )
    return {row.id: row.username for row in rows}


async def keep_download(
    connection: AsyncConnection,
    *,
    user_id: int,
    event_id: int,
    photo_ids: Sequence[int],
    folders: Folders,
    photographers: dict[int, str],
    digest: bytes,
    expires_at: datetime,
) -> uuid.UUID:
    """Make the row, or let the one of the same photos last longer; return its id."""
    new = upsert(downloads).values(
        user_id=user_id,
        event_id=event_id,
        photo_ids=list(photo_ids),
        folders=folders.value,
        photographers={str(key): name for key, name in photographers.items()},
        digest=digest,
        expires_at=expires_at,
    )
    made = new.on_conflict_do_update(
        index_elements=[downloads.c.user_id, downloads.c.digest],
        set_={
            "expires_at": func.greatest(downloads.c.expires_at, new.excluded.expires_at),
            "created_at": func.now(),
        },
    ).returning(downloads.c.id)
    found: uuid.UUID = (await connection.execute(made)).scalar_one()
    return found


async def delete_surplus(connection: AsyncConnection, user_id: int, *, kept: int) -> None:
    """Delete the account's downloads but those that were asked for last."""
    last = (
        select(downloads.c.id)
        .where(downloads.c.user_id == user_id)
        .order_by(downloads.c.created_at.desc(), downloads.c.id)
        .limit(kept)
    )
    await connection.execute(
        delete(downloads).where(and_(downloads.c.user_id == user_id, downloads.c.id.not_in(last)))
    )


async def delete_expired(connection: AsyncConnection, *, at_most: int) -> int:
    """Delete so many whose links are good no more; return how many there were."""
    expired = (
        select(downloads.c.id)
        .where(downloads.c.expires_at < func.now())
        .limit(at_most)
        .with_for_update(skip_locked=True)
    )
    deleted = await connection.execute(delete(downloads).where(downloads.c.id.in_(expired)))
    return deleted.rowcount
