"""A wall's link: what opens it is its id and our signature, so that no table holds the secret."""

import base64
import binascii
import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from libs.common.signing_keys import Purpose, SigningKeys

#: 128 bits: nobody guesses one online.
SIGNATURE_BYTES: Final = 16
#: Screens of one event; more are a program that went wrong.
MAX_WALLS: Final = 20
#: A wall begins with the newest photos, and then mixes all others in.
NEWEST: Final = 60
MIXED: Final = 140
_ID_BYTES: Final = 16
#: The page of a wall. Its link is behind the `#`, which browsers send nobody: no log has it.
PAGE: Final = "/wall#"


@dataclass(frozen=True, slots=True)
class Wall:
    """A screen that shows an event's photos."""

    id: uuid.UUID
    event_id: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WallPhoto:
    """A photo that everybody may see, as a screen needs it."""

    id: int
    filename: str
    width: int
    height: int
    placeholder: str | None


class WallLinks:
    """Writes and reads the links of walls; a rotated secret's stay valid with it."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = tuple(key.key for key in keys.valid(Purpose.WALL))

    def link(self, wall_id: uuid.UUID) -> str:
        """Return what stands behind `/wall#` for it: 43 characters."""
        token = wall_id.bytes + _signature(self._keys[0], wall_id)
        return base64.urlsafe_b64encode(token).rstrip(b"=").decode()

    def wall_id(self, link: str) -> uuid.UUID | None:
        """Return which wall the link is of, None for one that is not ours."""
        try:
            token = base64.b64decode(link.encode() + b"=", altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        if len(token) != _ID_BYTES + SIGNATURE_BYTES:
            return None
        wall_id = uuid.UUID(bytes=token[:_ID_BYTES])
        shown = token[_ID_BYTES:]
        is_ours = any(hmac.compare_digest(_signature(key, wall_id), shown) for key in self._keys)
        return wall_id if is_ours else None


def _signature(key: bytes, wall_id: uuid.UUID) -> bytes:
    return hmac.digest(key, wall_id.bytes, "sha256")[:SIGNATURE_BYTES]
