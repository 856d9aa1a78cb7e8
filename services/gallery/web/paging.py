"""Keyset paging: a page begins after a photo's place, so that deep pages cost what first ones do.

Method: Markus Winand, "Paging Through Results", use-the-index-luke.com.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from libs.common.errors import InvalidInput

MAX_LIMIT = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = struct.Struct(">qQ")


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
    microseconds = (place.uploaded_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(_FORM.pack(microseconds, place.photo_id)).decode().rstrip("=")


def decode_cursor(cursor: str) -> Place:
    """Raises InvalidInput when the word is not one of ours."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        microseconds, photo_id = _FORM.unpack(packed)
        place = Place(_EPOCH + timedelta(microseconds=microseconds), photo_id)
    except (binascii.Error, struct.error, ValueError, OverflowError) as error:
        msg = "The cursor is not valid: take it from the Link header of the page before."
        raise InvalidInput(msg) from error
    if photo_id >= 2**63:
        msg = "The cursor is not valid: take it from the Link header of the page before."
        raise InvalidInput(msg)
    return place
