"""Password hashes by Argon2id, computed in a few threads so that they cannot fill the memory."""

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from libs.common.errors import Unavailable

#: About 20 s of work for two threads; whoever comes later is asked to come back.
MAX_WAITING = 500
RETRY_AFTER_SECONDS = 10


class Passwords:
    """Hashes and verifies; each hash takes 64 MB and 50 to 100 ms of one core."""

    def __init__(self, *, at_once: int, hasher: Argon2Hasher | None = None) -> None:
        self._hash = PasswordHash((hasher or Argon2Hasher(),))
        self._limiter = CapacityLimiter(at_once)
        self._nobodys_hash: str | None = None

    async def hash(self, password: str) -> str:
        """Return a salted hash. Raises Unavailable when too many wait already."""
        self._refuse_when_full()
        return await to_thread.run_sync(self._hash.hash, password, limiter=self._limiter)

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether the password fits; an unknown account takes as long as a known one."""
        self._refuse_when_full()
        if password_hash is None:
            await to_thread.run_sync(self._verify_nobodys, password, limiter=self._limiter)
            return False
        return await to_thread.run_sync(
            self._verify, password, password_hash, limiter=self._limiter
        )

    def _verify(self, password: str, password_hash: str) -> bool:
        try:
            return self._hash.verify(password, password_hash)
        except UnknownHashError:
            return False

    def _verify_nobodys(self, password: str) -> None:
        if self._nobodys_hash is None:
            self._nobodys_hash = self._hash.hash("nobody's password")
        self._hash.verify(password, self._nobodys_hash)

    def _refuse_when_full(self) -> None:
        if self._limiter.statistics().tasks_waiting >= MAX_WAITING:
            msg = "Too many people are logging in at this moment."
            raise Unavailable(msg, retry_after_seconds=RETRY_AFTER_SECONDS)
