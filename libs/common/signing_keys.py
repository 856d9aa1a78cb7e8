"""Keys derived from the services' common secret, one for each purpose, and their rotation.

No purpose's key tells anything of another's or of the secret (HKDF with SHA-256, RFC 5869).
"""

import functools
import hmac
from dataclasses import dataclass, field
from enum import StrEnum


class Purpose(StrEnum):
    """What is signed; the value goes into the derivation, so it stays as it is."""

    ACCESS_TOKEN = "findme access token v2"  # noqa: S105 - what the key is for
    MEDIA_URL = "findme signed media url v1"
    INTERNAL = "findme internal v1"
    UNSUBSCRIBE = "findme unsubscribe v1"
    #: Not signed with, but hashed: whom a limit counts.
    RATE_LIMITS = "findme rate limits v1"
    LOGIN_STATE = "findme login state v1"
    WALL = "findme wall v1"


_DIGEST = "sha256"
_DIGEST_BYTES = 32
_KEY_ID = "findme key id v1"
_KEY_ID_BYTES = 6


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key for HMAC-SHA-256; `id` says which secret it comes from, and nothing of the secret."""

    id: str
    key: bytes = field(repr=False)


class SigningKeys:
    """Signs with the secret's keys; what the previous secret's have signed stays valid."""

    def __init__(self, secret: str, previous: str | None = None) -> None:
        if not secret or previous == "":
            raise ValueError("an empty secret would sign for everybody")
        self._secrets = (secret,) if previous is None else (secret, previous)

    def current(self, purpose: Purpose) -> SigningKey:
        """Return the key to sign with."""
        return _derived(self._secrets[0], purpose)

    def valid(self, purpose: Purpose) -> tuple[SigningKey, ...]:
        """Return the keys whose signatures are ours, the one to sign with first."""
        return tuple(_derived(secret, purpose) for secret in self._secrets)

    def __repr__(self) -> str:
        return f"SigningKeys({', '.join(key.id for key in self.valid(Purpose.INTERNAL))})"


def hkdf(secret: bytes, info: bytes) -> bytes:
    """Return 32 bytes: RFC 5869 without a salt, one block of it."""
    extracted = hmac.digest(bytes(_DIGEST_BYTES), secret, _DIGEST)
    return hmac.digest(extracted, info + b"\x01", _DIGEST)


@functools.lru_cache(maxsize=64)
def _derived(secret: str, purpose: Purpose) -> SigningKey:
    encoded = secret.encode()
    key_id = hkdf(encoded, _KEY_ID.encode())[:_KEY_ID_BYTES].hex()
    return SigningKey(key_id, hkdf(encoded, purpose.encode()))
