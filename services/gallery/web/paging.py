"""Keyset paging: a page begins after a photo's place, so that deep pages cost what first ones do.

Method: Markus Winand, "Paging Through Results", use-the-index-luke.com.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query

from libs.common.errors import InvalidInput
from libs.common.messaging.messages import MAX_ID

MAX_LIMIT = 1000
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
    """Where a photo stands in a list: newest first, equal times by falling id."""

    uploaded_at: datetime
    photo_id: int


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list; without a limit it is all of it, as older clients expect."""

    limit: int | None = None
    after: Place | None = None


def encode_cursor(place: Place) -> str:
    """Return the place as an opaque word that is safe in a URL."""
    return packed((place.uploaded_at - _EPOCH) // timedelta(microseconds=1), place.photo_id)


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


async def _page(
    limit: Annotated[int | None, Query(ge=1)] = None, cursor: str | None = None
) -> Page:
    return Page(
        limit=min(limit, MAX_LIMIT) if limit is not None else None,
        after=decode_cursor(cursor) if cursor else None,
    )


RequestedPage = Annotated[Page, Depends(_page)]
