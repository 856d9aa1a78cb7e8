"""Photo lists in two steps: the caller's matched ids, then the photos.

Neither step reads a face row, and both are answered by covering indexes alone while the
tables are vacuumed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    bindparam,
    func,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import photos
from libs.common.rights.guest_photos import guest_photos, uncertain_photos
from services.gallery.web.paging import Place

#: Up to this many photos are fetched one by one by their ids (about 1 ms); more are found by
#: walking the event's index, whose cost goes with the page and not with the matches.
FEW_IDS = 200

_COLUMNS = (
    photos.c.id,
    photos.c.event_id,
    photos.c.filename,
    photos.c.original_filename,
    photos.c.content_type,
    photos.c.photographer_id,
    photos.c.uploaded_at,
    photos.c.width,
    photos.c.height,
    photos.c.taken_at,
    photos.c.placeholder,
    photos.c.show_in_general,
    photos.c.processing_status,
)


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A photo as lists show it: exactly what the page index holds."""

    id: int
    event_id: int
    filename: str
    original_filename: str
    content_type: str
    photographer_id: int | None
    uploaded_at: datetime
    width: int
    height: int
    taken_at: datetime | None
    placeholder: str | None
    show_in_general: bool | None
    processing_status: str

    @property
    def place(self) -> Place:
        """Where the photo stands in a list."""
        return Place(self.uploaded_at, self.id)


async def matched_photo_ids(
    connection: AsyncConnection, user_id: int, event_id: int
) -> frozenset[int]:
    """Step one: the photos of the event that show the participant.

    As one array: 3,000 ids are decoded three times faster than as rows.
    """
    shown = guest_photos(event_id, user_id=user_id)
    ids: list[int] | None = await connection.scalar(select(func.array_agg(shown.c.photo_id)))
    return frozenset(ids or ())


async def uncertain_photos_of(
    connection: AsyncConnection, user_id: int, event_id: int
) -> dict[int, float]:
    """Step one for the uncertain list: how alike the best face of each photo is, 0 to 100."""
    rows = await connection.execute(uncertain_photos(event_id, user_id=user_id))
    return {row.photo_id: row.similarity for row in rows}


async def photos_with_ids(
    connection: AsyncConnection,
    event_id: int,
    photo_ids: Collection[int],
    *,
    after: Place | None,
    limit: int,
    hidden_too: bool = True,
) -> list[PhotoRow]:
    """Step two for the own list: these photos of the event, newest first."""
    if not photo_ids:
        return []
    ids = list(photo_ids)
    condition: ColumnElement[bool] = photos.c.id == func.any(
        bindparam("ids", ids, ARRAY(BigInteger))
    )
    if len(ids) > FEW_IDS:
        # IS TRUE keeps the planner from turning it into a join on the primary key: it
        # walks the page index and looks each entry up in a hash, also in a generic plan.
        unnested = select(func.unnest(bindparam("ids", ids, ARRAY(BigInteger))))
        condition = photos.c.id.in_(unnested).is_(true())
    conditions = [photos.c.event_id == event_id, condition]
    if not hidden_too:
        conditions.append(photos.c.show_in_general.is_not(False))
    return await _photos(connection, conditions, after, limit)


async def general_photos(
    connection: AsyncConnection,
    event_id: int,
    *,
    only_shown: bool,
    after: Place | None,
    limit: int,
) -> list[PhotoRow]:
    """Step two for the shared list: what the photographer lets everybody see, newest first."""
    return await _photos(connection, general_conditions(event_id, only_shown), after, limit)


async def photos_of_event(
    connection: AsyncConnection, event_id: int, *, after: Place | None, limit: int
) -> list[PhotoRow]:
    """All photos of the event, newest first."""
    return await _photos(connection, [photos.c.event_id == event_id], after, limit)


async def photos_by_photographer(
    connection: AsyncConnection, photographer_id: int, *, after: Place | None, limit: int
) -> list[PhotoRow]:
    """All photos that somebody uploaded, newest first."""
    return await _photos(connection, [photos.c.photographer_id == photographer_id], after, limit)


async def shows_selected_only(connection: AsyncConnection, event_id: int) -> bool:
    """Whether any photo of the event is marked to be shown; then only such ones are."""
    found = await connection.scalar(
        select(literal(1)).where(photos.c.event_id == event_id, photos.c.show_in_general).limit(1)
    )
    return found is not None


async def count_general_photos(connection: AsyncConnection, event_id: int) -> int:
    """Return the length of the event's shared list."""
    only_shown = await shows_selected_only(connection, event_id)
    count = await connection.scalar(
        select(func.count()).where(*general_conditions(event_id, only_shown))
    )
    return count or 0


async def count_uploaded_photos(connection: AsyncConnection, photographer_id: int) -> int:
    """Return how many photos somebody uploaded."""
    count = await connection.scalar(
        select(func.count()).where(photos.c.photographer_id == photographer_id)
    )
    return count or 0


async def processing_errors(
    connection: AsyncConnection, photo_ids: Sequence[int]
) -> dict[int, str | None]:
    """Return why these photos failed."""
    rows = await connection.execute(
        select(photos.c.id, photos.c.processing_error).where(
            photos.c.id == func.any(list(photo_ids))
        )
    )
    return {row.id: row.processing_error for row in rows}


def general_conditions(event_id: int, only_shown: bool) -> list[ColumnElement[bool]]:  # noqa: FBT001
    """Return what makes a photo of the event general."""
    shown = photos.c.show_in_general
    return [
        photos.c.event_id == event_id,
        shown.is_(true()) if only_shown else shown.is_not(False),
    ]


async def _photos(
    connection: AsyncConnection,
    conditions: Sequence[ColumnElement[bool]],
    after: Place | None,
    limit: int,
) -> list[PhotoRow]:
    query = (
        select(*_COLUMNS)
        .where(*conditions)
        .order_by(photos.c.uploaded_at.desc(), photos.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(
            tuple_(photos.c.uploaded_at, photos.c.id)
            < tuple_(
                literal(after.uploaded_at, DateTime(timezone=True)),
                literal(after.photo_id, BigInteger),
            )
        )
    # All at once: iterating the result fetches row by row, which costs as much as the query.
    rows = (await connection.execute(query)).all()
    return [_photo(row) for row in rows]


def _photo(row: Sequence[Any]) -> PhotoRow:
    return PhotoRow(*row)
