"""One-time links: what each is for, how long it holds, and what its token is like."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

#: 256 bits, in 43 characters that are safe in an address.
TOKEN_BYTES = 32
#: Longer ones are not ours: they need not be hashed to know that.
MAX_TOKEN_CHARACTERS = 100


class Purpose(StrEnum):
    """What whoever has the link may do with it, once."""

    PASSWORD_RESET = "password_reset"  # noqa: S105 - a purpose, no password
    #: Sent to an address: it proves the address, and opens the account on the device it is read on.
    OPEN_ACCOUNT = "open_account"
    #: Shown on one device, as a QR code, and opened on another.
    OTHER_DEVICE = "other_device"


class LinkState(StrEnum):
    """Whether a link can be used; those that cannot are remembered for a day."""

    USABLE = "usable"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class LinkKind:
    """How long a link holds, and which page opens it."""

    lifetime: timedelta
    page: str


KINDS: Final = {
    Purpose.PASSWORD_RESET: LinkKind(timedelta(hours=1), "/api/pages/password-reset"),
    Purpose.OPEN_ACCOUNT: LinkKind(timedelta(hours=24), "/api/pages/link"),
    Purpose.OTHER_DEVICE: LinkKind(timedelta(minutes=10), "/api/pages/link"),
}


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_of(token: str) -> bytes:
    """Return what is kept of a token. It is random, so that a fast hash is enough."""
    return hashlib.sha256(token[: MAX_TOKEN_CHARACTERS + 1].encode()).digest()


def link_url(public_url: str, purpose: Purpose, token: str) -> str:
    """Return the link. Its token is in the fragment, which no server, log or `Referer` sees.

    Opening it uses nothing up: mail scanners do that. The page asks for a click.
    """
    return f"{public_url}{KINDS[purpose].page}#token={token}"
