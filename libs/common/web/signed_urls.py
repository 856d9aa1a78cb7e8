"""Signed media URLs: a capability until a moment, the same one every time.

Stable, because the browser's cache is keyed by the URL: a guest's second visit must ask
for what the first one fetched.

What guests get of a photo (its copy for guests, preview and thumbnail) has one signature, that of
the folder in which the three lie: lists always give all of them. An original, which may tell more
than the copy for guests, has one of its own, and so has any other object, and a preview that
somebody gets who may not have the rest.
"""

import base64
import hmac
from collections.abc import Iterator, Sequence
from datetime import datetime
from urllib.parse import quote

from libs.common.errors import Gone, NotAllowed
from libs.common.signing_keys import Purpose, SigningKeys
from libs.common.storage.keys import guests_folder

MEDIA_PATH = "/api/media/"
#: Begins the object's key in links to photos of an event that is over: they are for those who run
#: it, until its photos are erased.
KEPT = "kept/"
#: 128 bits: nobody guesses one online, and a list of 200 photos carries 200 of them.
SIGNATURE_BYTES = 16


class LinkInvalid(NotAllowed):
    """The signature does not belong to this object and expiry."""

    def __init__(self, key: str) -> None:
        super().__init__("This link is not valid.")
        self.key = key


class LinkExpired(Gone):
    """The link was ours; its time is over."""

    def __init__(self, key: str) -> None:
        super().__init__("This link has expired.")
        self.key = key


class SignedUrls:
    """Signs and verifies by HMAC-SHA-256; a rotated secret's links stay valid with it."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = tuple(key.key for key in keys.valid(Purpose.MEDIA_URL))

    def sign(self, key: str, expires_at: datetime, *, under: str = MEDIA_PATH) -> str:
        """Return path and query for a key; `expires_at` is aware, cut to the second."""
        folder = guests_folder(key)
        if folder is not None:
            return self.sign_folder(folder, [key.removeprefix(folder)], expires_at)[0]
        return f"{under}{quote(key)}{self._signed(key, expires_at)}"

    def sign_folder(self, folder: str, names: Sequence[str], expires_at: datetime) -> list[str]:
        """Return what `sign` does for these objects in a folder of what guests get of a photo."""
        signed = self._signed(folder, expires_at)
        path = MEDIA_PATH + quote(folder)
        return [f"{path}{name}{signed}" for name in names]

    def sign_alone(self, key: str, expires_at: datetime) -> str:
        """Return what `sign` does, by a signature that opens this one object."""
        return f"{MEDIA_PATH}{quote(key)}{self._signed(key, expires_at)}"

    def verify(self, key: str, expires: int, signature: str, now: datetime) -> None:
        """Raise LinkInvalid or LinkExpired; `key` is the decoded path behind what it is under."""
        self.verify_signature(key, expires, signature)
        if now.timestamp() >= expires:
            raise LinkExpired(key)

    def verify_signature(self, key: str, expires: int, signature: str) -> None:
        """Raise LinkInvalid; whether the link has ended, `expires` tells."""
        shown = signature.encode(errors="surrogatepass")
        if not any(
            hmac.compare_digest(_signature(ours, meant, expires).encode(), shown)
            for meant in _meant(key)
            for ours in self._keys
        ):
            raise LinkInvalid(key)

    def _signed(self, meant: str, expires_at: datetime) -> str:
        if expires_at.tzinfo is None:
            raise ValueError("expires_at needs a time zone")
        expires = int(expires_at.timestamp())
        return f"?e={expires}&s={_signature(self._keys[0], meant, expires)}"


def _meant(key: str) -> Iterator[str]:
    """Yield what a signature may be for that opens this object."""
    folder = guests_folder(key)
    if folder is not None:
        yield folder
    # What is signed alone; and links of former releases, which browsers and bookmarks have.
    yield key


def _signature(signing_key: bytes, meant: str, expires: int) -> str:
    # The number comes first and holds no colon, so no key can shift the border.
    message = f"{expires}:{meant}".encode(errors="surrogatepass")
    digest = hmac.digest(signing_key, message, "sha256")[:SIGNATURE_BYTES]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
