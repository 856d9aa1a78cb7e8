"""Keyset paging: a page begins after a photo's place, so that deep pages cost what first ones do.

Method: Markus Winand, "Paging Through Results", use-the-index-luke.com.
"""

import base64
import binascii
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import Depends, Query, Request

from libs.common.errors import InvalidInput
from libs.common.messaging.messages import MAX_ID

MAX_LIMIT = 1000
#: The first pages of some hundred events, asked for again and again: quoting costs 5 µs.
KEPT_LINKS = 1024
#: A page's address as clients have it from us; any other is read by the rules for all of them.
_AS_LINKED = re.compile(
    rb"(?:limit=([1-9][0-9]{0,8})(?:&cursor=([A-Za-z0-9_-]{1,100}))?"
    rb"(?:&sort=(arrived|taken))?(?:&direction=(desc|asc))?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = struct.Struct(">qQ")


class CursorInvalid(InvalidInput):
    """The cursor was made by somebody else."""

    def __init__(self) -> None:
        super().__init__(
            "The cursor is not valid: take it from the Link header of the page before."
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a photo stands in a list: by a moment, and at equal ones by its id.

    The moment is its arrival; in lists by when photos were taken that, in UTC, or the camera's
    clock as if in UTC, where the event has no time zone.
    """

    moment: datetime
    photo_id: int


Sort = Literal["arrived", "taken"]
Direction = Literal["desc", "asc"]


class Page(NamedTuple):
    """Part of a list; without a limit it is all of it, as older clients expect.

    The newest first, as photos arrived, where nothing else is asked for.
    """

    limit: int | None = None
    after: Place | None = None
    sort: Sort = "arrived"
    direction: Direction = "desc"

    @property
    def order(self) -> dict[str, object]:
        """What a query says of the order, as far as it is not the usual one."""
        said: dict[str, object] = {}
        if self.sort != "arrived":
            said["sort"] = self.sort
        if self.direction != "desc":
            said["direction"] = self.direction
        return said


def encode_cursor(place: Place) -> str:
    """Return the place as an opaque word that is safe in a URL."""
    return packed((place.moment - _EPOCH) // timedelta(microseconds=1), place.photo_id)


def decode_cursor(cursor: str) -> Place:
    """Raises InvalidInput when the word is not one of ours."""
    microseconds, photo_id = unpacked(cursor)
    try:
        return Place(_EPOCH + timedelta(microseconds=microseconds), photo_id)
    except OverflowError as error:
        raise CursorInvalid from error


def packed(value: int, row_id: int) -> str:
    """Return two numbers, by which a list is sorted, as an opaque word that is safe in a URL."""
    return base64.urlsafe_b64encode(_FORM.pack(value, row_id)).decode().rstrip("=")


def unpacked(cursor: str) -> tuple[int, int]:
    """Return the two numbers. Raises CursorInvalid when the word is not one of ours."""
    try:
        word = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        value, row_id = _FORM.unpack(word)
    except (binascii.Error, struct.error, ValueError) as error:
        raise CursorInvalid from error
    if row_id > MAX_ID:
        raise CursorInvalid
    return value, row_id


#: As it came in the Link header of the page before.
Cursor = Annotated[str, Query(max_length=100)]


def next_page(request: Request, query: Mapping[str, object]) -> str:
    """Return the Link header (RFC 8288) that leads from this page of a list to the next."""
    return _next_page(request.scope["path"], tuple(query.items()))


@lru_cache(KEPT_LINKS)
def _next_page(path: str, query: tuple[tuple[str, object], ...]) -> str:
    return f'<{path}?{urlencode(query)}>; rel="next"'


async def _page(
    limit: Annotated[int | None, Query(ge=1)] = None, cursor: Cursor | None = None
) -> Page:
    return _bounded(limit, cursor)


async def _sorted_page(
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: Cursor | None = None,
    sort: Annotated[
        Sort,
        Query(
            description="By when photos arrived, or were taken; one whose camera says nothing"
            " stands at its arrival. In an event without a time zone cameras' clocks are compared"
            " as they are, and with arrivals in UTC."
        ),
    ] = "arrived",
    direction: Annotated[
        Direction, Query(description="`desc`: the newest first; `asc`: the oldest first.")
    ] = "desc",
) -> Page:
    return _bounded(limit, cursor, sort, direction)


@lru_cache(KEPT_LINKS)
def linked_page(query: bytes) -> Page | None:
    """Return the page that a query of the usual form asks for, None for one of another form.

    Raises CursorInvalid.
    """
    found = _AS_LINKED.fullmatch(query)
    if found is None:
        return None
    limit, cursor, sort, direction = found.groups()
    return _bounded(
        int(limit) if limit else None,
        cursor.decode() if cursor else None,
        "taken" if sort == b"taken" else "arrived",
        "asc" if direction == b"asc" else "desc",
    )


def _bounded(
    limit: int | None,
    cursor: str | None,
    sort: Sort = "arrived",
    direction: Direction = "desc",
) -> Page:
    return Page(
        limit=min(limit, MAX_LIMIT) if limit is not None else None,
        after=decode_cursor(cursor) if cursor else None,
        sort=sort,
        direction=direction,
    )


RequestedPage = Annotated[Page, Depends(_page)]
#: Of a list whose order may be chosen.
SortedPage = Annotated[Page, Depends(_sorted_page)]
