"""Passwords that this process has hashed for a registration: the login after it costs no hash.

Older clients register and log in right after; hashing the same password twice took a tenth of what
a guest of a rush costs. What is kept for that minute tells nothing without the process's memory,
where passwords are anyway while they are hashed, and serves once.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict

KEPT_SECONDS = 60.0
MAX_KEPT = 1_000


class FreshHashes:
    """Which password a hash was just made of, by a keyed digest of both (RFC 7693)."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._digests: OrderedDict[str, bytes] = OrderedDict()

    def note(self, password: str, password_hash: str) -> None:
        """Keep it for the first login; the oldest go where there are too many."""
        self._digests[password_hash] = self._digest(password, password_hash)
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._digests.pop, password_hash, None)
        if len(self._digests) > MAX_KEPT:
            self._digests.popitem(last=False)

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
