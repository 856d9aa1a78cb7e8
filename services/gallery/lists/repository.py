"""Photo lists in two steps: the caller's matched ids, then the photos.

Neither step reads a face row, and both are answered by covering indexes alone while the
tables are vacuumed. `pages_repository` has the same steps for what guests ask most.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    and_,
    bindparam,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, photos
from libs.common.rights.counted_matches import guest_photos, uncertain_photos
from libs.common.rights.event_ends import is_over, kept_until
from libs.common.rights.photos import selects, shown_to_all
from services.gallery.events.rules import EventEnd
from services.gallery.lists.order import is_after, ordered, place_at, sort_key
from services.gallery.web.paging import Page, Place

#: Up to this many photos are fetched one by one by their ids (about 1 ms); more are found by
#: walking the event's index, whose cost goes with the page and not with the matches.
FEW_IDS = 200
#: Photos that are fetched, encoded and sent at a time; between two chunks other requests get
#: their turn.
CHUNK = 500

#: Which photos a list is of: a condition on `photos`.
Choice = ColumnElement[bool]

PHOTO_COLUMNS = (
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
    photos.c.taken_at_offset,
    photos.c.taken_instant,
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
    taken_at_offset: int | None
    taken_instant: datetime | None
    placeholder: str | None
    show_in_general: bool | None
    processing_status: str


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


async def shows_selected_only(connection: AsyncConnection, event_id: int) -> bool:
    """Whether any photo of the event is marked to be shown; then only such ones are."""
    return bool(await connection.scalar(select(selects(event_id))))


def of_event(event_id: int) -> Choice:
    """All photos of the event."""
    return photos.c.event_id == event_id


def by_photographer(photographer_id: int) -> Choice:
    """All photos that somebody uploaded."""
    return photos.c.photographer_id == photographer_id


def general(event_id: int | ColumnElement[int], *, selected_only: bool) -> Choice:
    """What the photographer lets everybody see of the event."""
    return and_(photos.c.event_id == event_id, shown_to_all(selected_only=selected_only))


def with_ids(event_id: int, photo_ids: Collection[int]) -> Choice:
    """These photos of the event."""
    ids = bindparam("ids", list(photo_ids), ARRAY(BigInteger))
    chosen = one_of(ids) if len(photo_ids) <= FEW_IDS else among(ids)
    return and_(photos.c.event_id == event_id, chosen)


def one_of(ids: ColumnElement[Sequence[int]]) -> Choice:
    """A few photos, each of which is looked up."""
    return photos.c.id == func.any(ids)


def among(ids: ColumnElement[Sequence[int]]) -> Choice:
    """Many photos, found on the way through an index."""
    # IS TRUE keeps the planner from turning it into a join on the primary key: it
    # walks the page index and looks each entry up in a hash, also in a generic plan.
    return photos.c.id.in_(select(func.unnest(ids))).is_(true())


async def is_longer(connection: AsyncConnection, choice: Choice, than: int) -> bool:
    """Whether the choice has more photos; it costs no more than counting so many."""
    found = await connection.scalar(select(literal(1)).where(choice).offset(than).limit(1))
    return found is not None


async def photos_of(
    connection: AsyncConnection, choice: Choice, page: Page
) -> AsyncIterator[list[tuple[PhotoRow, Place]]]:
    """Step two: the page's photos, each with its place, in its order; one more if it has a limit.

    One query, whose rows are fetched chunk by chunk: the connection must be in a transaction.
    """
    key = sort_key(page.sort)
    query = (
        select(*PHOTO_COLUMNS, key.label("moment"))
        .where(choice)
        .order_by(*ordered(key, photos.c.id, page.direction))
        .execution_options(yield_per=CHUNK)
    )
    if page.limit is not None:
        query = query.limit(page.limit + 1)
    if (behind := is_after(page)) is not None:
        query = query.where(behind)
    rows = await connection.stream(query)
    async for chunk in rows.partitions():
        yield [(_photo(row[:-1]), place_at(row.moment, row.id)) for row in chunk]


async def photos_by_id(
    connection: AsyncConnection, event_id: int, photo_ids: Collection[int]
) -> dict[int, PhotoRow]:
    """Return those of these photos that the event has."""
    rows = await connection.execute(select(*PHOTO_COLUMNS).where(with_ids(event_id, photo_ids)))
    return {row.id: _photo(row) for row in rows}


async def count(connection: AsyncConnection, choice: Choice) -> int:
    """Return how many photos are chosen."""
    return await connection.scalar(select(func.count()).select_from(photos).where(choice)) or 0


async def of_events(
    connection: AsyncConnection, event_ids: Collection[int]
) -> dict[int, tuple[EventEnd, str | None]]:
    """Return until when the photos of these events can be seen, and their time zones."""
    rows = await connection.execute(
        select(
            events.c.id,
            events.c.time_zone,
            events.c.expires_at,
            is_over().label("is_over"),
            kept_until().label("kept_until"),
        ).where(events.c.id == func.any(list(event_ids)))
    )
    return {
        row.id: (EventEnd(row.expires_at, row.is_over, row.kept_until), row.time_zone)
        for row in rows
    }


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


async def processing_notes(connection: AsyncConnection, photo_ids: Sequence[int]) -> dict[int, str]:
    """Return what is wrong with those of these photos of which not all could be read."""
    rows = await connection.execute(
        select(photos.c.id, photos.c.processing_note).where(
            photos.c.id == func.any(list(photo_ids)), photos.c.processing_note.is_not(None)
        )
    )
    return {row.id: row.processing_note for row in rows}


def _photo(row: Sequence[Any]) -> PhotoRow:
    return PhotoRow(*row)
