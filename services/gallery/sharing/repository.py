"""SQL of walls, and of the photos that they show."""

import uuid
from collections.abc import Iterable, Sequence

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    and_,
    cast,
    delete,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, photos, walls
from libs.common.rights.photos import selects, shown_to_all
from services.gallery.sharing.rules import Wall, WallPhoto

_WALL = (walls.c.id, walls.c.event_id, walls.c.created_at)
_PHOTO = (
    photos.c.id,
    photos.c.filename,
    photos.c.width,
    photos.c.height,
    photos.c.placeholder,
)


async def keep_event(connection: AsyncConnection, event_id: int) -> bool:
    """Whether the event is there; others who make it a wall wait."""
    found = await connection.scalar(
        select(events.c.id).where(events.c.id == event_id).with_for_update(key_share=True)
    )
    return found is not None


async def add_wall(connection: AsyncConnection, event_id: int) -> Wall:
    """Make a wall of the event."""
    new = insert(walls).values(id=uuid.uuid4(), event_id=event_id).returning(*_WALL)
    return Wall(**(await connection.execute(new)).one()._asdict())


async def walls_of(connection: AsyncConnection, event_id: int) -> list[Wall]:
    """Return the event's walls, the newest first."""
    rows = await connection.execute(
        select(*_WALL)
        .where(walls.c.event_id == event_id)
        .order_by(walls.c.created_at.desc(), walls.c.id)
    )
    return [Wall(**row._asdict()) for row in rows]


async def find_wall(connection: AsyncConnection, wall_id: uuid.UUID) -> Wall | None:
    """Return the wall, None once it is revoked."""
    row = (await connection.execute(select(*_WALL).where(walls.c.id == wall_id))).one_or_none()
    return Wall(**row._asdict()) if row else None


async def delete_wall(connection: AsyncConnection, event_id: int, wall_id: uuid.UUID) -> bool:
    """Whether there was such a wall of the event."""
    done = await connection.execute(
        delete(walls).where(walls.c.id == wall_id, walls.c.event_id == event_id)
    )
    return bool(done.rowcount)


async def mixed_photos(connection: AsyncConnection, event_id: int, limit: int) -> list[int]:
    """Return the ids of some of the photos that everybody may see, by chance."""
    rows: Iterable[int] = await connection.scalars(
        select(photos.c.id)
        .where(await _for_everybody(connection, event_id))
        .order_by(func.random())
        .limit(limit)
    )
    return list(rows)


async def shown_photos(
    connection: AsyncConnection, event_id: int, *, newest: int, among: Sequence[int]
) -> list[WallPhoto]:
    """Return the newest photos that everybody may see, then those of `among` that they may."""
    for_everybody = await _for_everybody(connection, event_id)
    first = (
        select(*_PHOTO)
        .where(for_everybody)
        .order_by(photos.c.uploaded_at.desc(), photos.c.id.desc())
        .limit(newest)
    )
    found = [WallPhoto(**row._asdict()) for row in await connection.execute(first)]
    known = {photo.id for photo in found}
    ids = cast(
        literal([one for one in among if one not in known], ARRAY(BigInteger)), ARRAY(BigInteger)
    )
    others = (
        select(*_PHOTO)
        .where(for_everybody, photos.c.id == func.any(ids))
        .order_by(func.array_position(ids, photos.c.id))
    )
    return found + [WallPhoto(**row._asdict()) for row in await connection.execute(others)]


async def _for_everybody(connection: AsyncConnection, event_id: int) -> ColumnElement[bool]:
    selected_only = bool(await connection.scalar(select(selects(event_id))))
    return and_(
        photos.c.event_id == event_id,
        shown_to_all(selected_only=selected_only),
        # Nothing can be shown of what could not be read.
        photos.c.processing_status != "failed",
    )
