"""What guests' pages ask of the database: whose list it is, which photos, and those not known yet.

A page names its photos by id and version: a digest of all that lists show of a row, computed by the
server from its index. So whoever has shown a photo before knows whether it is the same, and reads
no photo for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Subquery,
    and_,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.compiled import CompiledRead, parameter
from libs.common.database.tables import photos
from libs.common.rights.counted_matches import guest_photos
from libs.common.rights.photos import selects
from services.gallery.events.access import of_joined_event
from services.gallery.events.rules import Event
from services.gallery.lists import repository
from services.gallery.lists.order import is_behind, moment_of, ordered, place_at, sort_key
from services.gallery.lists.repository import (
    PHOTO_COLUMNS,
    Choice,
    PhotoRow,
    among,
    general,
    one_of,
)
from services.gallery.web.paging import Direction, Page, Place, Sort

_EVENT_ID = parameter("event_id", BigInteger())
_USER_ID = parameter("user_id", BigInteger())
_IDS = parameter("ids", ARRAY(BigInteger))
_LIMIT = parameter("limit", Integer())
_AFTER_ID = parameter("after_id", BigInteger())
#: What no list of guests shows: a change of it makes no other version.
_NOT_SHOWN = ("show_in_general",)
_VERSION: ColumnElement[int] = func.hash_record_extended(
    func.row(*(column for column in PHOTO_COLUMNS if column.name not in _NOT_SHOWN)),
    0,
    type_=BigInteger,
)


@dataclass(frozen=True, slots=True)
class GuestOfEvent:
    """Step one: an event that the guest has joined, and the photos that show them."""

    event: Event
    own: frozenset[int]
    #: Whether its photographer marks the photos that all guests see.
    selected_only: bool


@dataclass(frozen=True, slots=True)
class PageOfPhotos:
    """Step two: which photos a page is of, in its order, each with its version."""

    ids: Sequence[int]
    versions: Sequence[int]
    #: The place of its last photo, if another page follows.
    last: Place | None


class Chosen(Enum):
    """Which photos of the event a page is of."""

    FEW = "few by their ids"
    MANY = "many by their ids"
    SHOWN = "all that are not hidden"
    SELECTED = "all that are marked to be shown"


async def guest_of_event(
    connection: AsyncConnection, user_id: int, event_id: int
) -> GuestOfEvent | None:
    """Step one; None if the guest has not joined the event."""
    found = await _guest_of_event().execute(connection, user_id=user_id, event_id=event_id)
    if not found:
        return None
    *of_event, own, selected_only = found[0]
    return GuestOfEvent(Event(*of_event), frozenset(own or ()), selected_only)


async def photos_of_page(
    connection: AsyncConnection,
    event_id: int,
    chosen: frozenset[int] | Chosen,
    page: Page,
    limit: int,
) -> PageOfPhotos:
    """Step two: the page's photos, up to `limit`.

    `chosen` are their ids, or one of the event's two general choices.
    """
    parameters: dict[str, object] = {"event_id": event_id, "limit": limit}
    if not isinstance(chosen, Chosen):
        parameters["ids"] = list(chosen)
        chosen = Chosen.FEW if len(chosen) <= repository.FEW_IDS else Chosen.MANY
    if page.after is not None:
        moment = moment_of(page.after, page.sort)
        parameters |= {"after_time": moment, "after_id": page.after.photo_id}
    query = _photos_of_page(chosen, page.sort, page.direction, is_first=page.after is None)
    [(ids, versions, last_time)] = await query.execute(connection, **parameters)
    if not ids:
        return PageOfPhotos((), (), None)
    if len(ids) <= limit:
        return PageOfPhotos(ids, versions, None)
    return PageOfPhotos(ids[:limit], versions[:limit], place_at(last_time, ids[limit - 1]))


async def photos_with_versions(
    connection: AsyncConnection, event_id: int, photo_ids: Sequence[int]
) -> list[tuple[PhotoRow, int]]:
    """Return those of these photos that the event still has, each with its version."""
    found = await _photos_with_versions().execute(
        connection, event_id=event_id, ids=list(photo_ids)
    )
    return [(PhotoRow(*row[:-1]), row[-1]) for row in found]


@cache
def _guest_of_event() -> CompiledRead:
    shown = guest_photos(_EVENT_ID, user_id=_USER_ID)
    # As one array: 3,000 ids are decoded three times faster than as rows.
    own = select(func.array_agg(shown.c.photo_id)).scalar_subquery()
    return CompiledRead(of_joined_event(_EVENT_ID, _USER_ID).add_columns(own, selects(_EVENT_ID)))


@cache
def _photos_of_page(
    chosen: Chosen, sort: Sort, direction: Direction, *, is_first: bool
) -> CompiledRead:
    key = sort_key(sort)
    shown = [photos.c.id, key.label("moment")]
    if sort == "arrived":  # whose index holds the whole row
        shown.append(_VERSION.label("version"))
    listed = (
        select(*shown)
        .where(_choice(chosen))
        .order_by(*ordered(key, photos.c.id, direction))
        # One more says that another page follows.
        .limit(_LIMIT + 1)
    )
    if not is_first:
        after = parameter("after_time", key.type)
        listed = listed.where(is_behind(sort, direction, after, _AFTER_ID))
    page = listed.subquery("page")
    if sort == "taken":
        page = _with_versions(page, direction)
    times = func.array_agg(page.c.moment, type_=ARRAY(key.type))
    return CompiledRead(
        select(func.array_agg(page.c.id), func.array_agg(page.c.version), times[_LIMIT])
    )


def _with_versions(page: Subquery, direction: Direction) -> Subquery:
    """Look the page's few photos up, so that the walk through the event reads but a small index."""
    return (
        select(page.c.id, page.c.moment, _VERSION.label("version"))
        .join(photos, photos.c.id == page.c.id)
        .order_by(*ordered(page.c.moment, page.c.id, direction))
        .subquery("versions")
    )


@cache
def _photos_with_versions() -> CompiledRead:
    choice = and_(photos.c.event_id == _EVENT_ID, one_of(_IDS))
    return CompiledRead(select(*PHOTO_COLUMNS, _VERSION).where(choice))


def _choice(chosen: Chosen) -> Choice:
    match chosen:
        case Chosen.FEW:
            return and_(photos.c.event_id == _EVENT_ID, one_of(_IDS))
        case Chosen.MANY:
            return and_(photos.c.event_id == _EVENT_ID, among(_IDS))
        case Chosen.SHOWN | Chosen.SELECTED:
            return general(_EVENT_ID, selected_only=chosen is Chosen.SELECTED)
