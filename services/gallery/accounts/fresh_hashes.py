"""Passwords that this process has hashed within the last minute: their first login costs no hash.

Older clients register and log in right after; hashing the same password twice took a tenth of what
a guest of a rush costs. What is kept tells nothing without the process's memory, where passwords
are anyway while they are hashed, and serves once.
"""

import hashlib
import hmac
import secrets

from cachetools import TTLCache

KEPT_SECONDS = 60.0
MAX_KEPT = 1_000


class FreshHashes:
    """Which password a hash was just made of, by a keyed digest of both (RFC 7693)."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._digests: TTLCache[str, bytes] = TTLCache(MAX_KEPT, KEPT_SECONDS)

    def note(self, password: str, password_hash: str) -> None:
        """Keep it for the first login."""
        self._digests[password_hash] = self._digest(password, password_hash)

    def fits(self, password: str, password_hash: str) -> bool:
        """Say whether the hash was just made of this password; not that it fits no other way.

        It is said once.
        """
        kept = self._digests.get(password_hash)
        if kept is None or not hmac.compare_digest(kept, self._digest(password, password_hash)):
            return False
        del self._digests[password_hash]
        return True

    def _digest(self, password: str, password_hash: str) -> bytes:
        # A hash has no zero byte.
        both = password_hash.encode() + b"\0" + password.encode(errors="surrogatepass")
        return hashlib.blake2b(both, key=self._key, digest_size=32).digest()
