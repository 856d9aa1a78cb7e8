"""Pages of the people in an event: those in most photos first, among equals the ones seen first."""

import base64
import binascii
import struct
from dataclasses import dataclass

from libs.common.errors import InvalidInput

_FORM = struct.Struct(">QQ")
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class PeoplePlace:
    """Where a person stands in the list."""

    photo_count: int
    person_id: int


def encode_place(place: PeoplePlace) -> str:
    """Return the place as an opaque word that is safe in a URL."""
    packed = _FORM.pack(place.photo_count, place.person_id)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_place(cursor: str) -> PeoplePlace:
    """Raises InvalidInput when the word is not one of ours."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = PeoplePlace(*_FORM.unpack(packed))
    except (binascii.Error, struct.error, ValueError) as error:
        raise _unknown() from error
    if max(place.photo_count, place.person_id) >= _LARGEST:
        raise _unknown()
    return place


def _unknown() -> InvalidInput:
    return InvalidInput("The cursor is not valid: take it from the Link header of the page before.")
