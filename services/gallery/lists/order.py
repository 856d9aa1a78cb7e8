"""The orders of photo lists: by arrival or by when photos were taken, in both directions."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, literal, tuple_

from libs.common.database.tables import MOMENT_TAKEN, photos
from services.gallery.web.paging import Direction, Page, Place, Sort


def sort_key(sort: Sort) -> ColumnElement[Any]:
    """Return what a list is sorted by before the ids."""
    return photos.c.uploaded_at if sort == "arrived" else MOMENT_TAKEN


def ordered(
    moment: ColumnElement[Any], photo_id: ColumnElement[int], direction: Direction
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return the two of them as a list is sorted by them."""
    if direction == "asc":
        return moment.asc(), photo_id.asc()
    return moment.desc(), photo_id.desc()


def is_behind(
    sort: Sort, direction: Direction, moment: ColumnElement[Any], photo_id: ColumnElement[int]
) -> ColumnElement[bool]:
    """Which photos come after this place in the list."""
    here, there = tuple_(sort_key(sort), photos.c.id), tuple_(moment, photo_id)
    return here > there if direction == "asc" else here < there


def is_after(page: Page) -> ColumnElement[bool] | None:
    """Which photos come after the place where the page begins; None for a list's beginning."""
    if page.after is None:
        return None
    moment = literal(moment_of(page.after, page.sort), sort_key(page.sort).type)
    photo_id = literal(page.after.photo_id, BigInteger)
    return is_behind(page.sort, page.direction, moment, photo_id)


def moment_of(place: Place, sort: Sort) -> datetime:
    """Return the place's moment as the database compares it."""
    return place.moment if sort == "arrived" else place.moment.replace(tzinfo=None)


def place_at(moment: datetime, photo_id: int) -> Place:
    """Return the place of a photo by what `sort_key` says of it."""
    return Place(moment if moment.tzinfo else moment.replace(tzinfo=UTC), photo_id)
