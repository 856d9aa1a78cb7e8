"""Signed media URLs: a capability for one object until a moment, the same one every time.

Stable, because the browser's cache is keyed by the URL: a guest's second visit must ask
for what the first one fetched.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import quote

from libs.common.errors import NotAllowed

MEDIA_PATH = "/api/media/"
#: 128 bits: nobody guesses one online, and a list of 200 photos carries 400 of them.
SIGNATURE_BYTES = 16
#: Part of the derived key, so that no other use of the secret yields these signatures.
PURPOSE = b"findme signed media url v1"


class LinkInvalid(NotAllowed):
    """The signature does not belong to this object and expiry."""

    def __init__(self, key: str) -> None:
        super().__init__("This link is not valid.")
        self.key = key


class LinkExpired(NotAllowed):
    """The link was ours; its time is over."""

    def __init__(self, key: str) -> None:
        super().__init__("This link has expired.")
        self.key = key


class SignedUrls:
    """Signs and verifies by HMAC-SHA-256, with a key derived from the secret as in RFC 5869."""

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("an empty secret would sign for everybody")
        extracted = hmac.digest(bytes(hashlib.sha256().digest_size), secret.encode(), "sha256")
        self._key = hmac.digest(extracted, PURPOSE + b"\x01", "sha256")

    def sign(self, key: str, expires_at: datetime) -> str:
        """Return path and query for an object key; `expires_at` is aware, cut to the second."""
        if expires_at.tzinfo is None:
            raise ValueError("expires_at needs a time zone")
        expires = int(expires_at.timestamp())
        return f"{MEDIA_PATH}{quote(key)}?e={expires}&s={self._signature(key, expires)}"

    def verify(self, key: str, expires: int, signature: str, now: datetime) -> None:
        """Raise LinkInvalid or LinkExpired; `key` is the decoded path behind `/api/media/`."""
        expected = self._signature(key, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="surrogatepass")):
            raise LinkInvalid(key)
        if now.timestamp() >= expires:
            raise LinkExpired(key)

    def _signature(self, key: str, expires: int) -> str:
        # The number comes first and holds no colon, so no key can shift the border.
        message = f"{expires}:{key}".encode(errors="surrogatepass")
        digest = hmac.digest(self._key, message, "sha256")[:SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
