"""Password hashes by Argon2id, a few at a time so that they cannot fill the memory.

Whose turn it is goes round by address: whoever sends a hundred keeps nobody else waiting.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from anyio import CapacityLimiter, to_thread
from pwdlib.hashers.argon2 import Argon2Hasher

from libs.common.limits.fair_queue import FairQueue
from libs.common.limits.source import caller_source
from services.gallery.accounts.fresh_hashes import FreshHashes
from services.gallery.accounts.hashing import Hashed, Hashing, HashingPool
from services.gallery.accounts.rules import password_problems, strength_problems, tidy_password

#: About 6 s of work for two idle cores; whoever comes later is asked to come back.
MAX_WAITING = 500
RETRY_AFTER_SECONDS = 10


class Passwords:
    """Hashes and verifies; by default, each hash takes 19 MB and 20 ms of one core."""

    def __init__(self, *, at_once: int, hasher: Argon2Hasher | HashingPool) -> None:
        """Without workers, hashing is done in threads: for commands, which do nothing else."""
        self._hasher = Hashing(hasher) if isinstance(hasher, Argon2Hasher) else hasher
        self._line = _line(at_once)
        self._threads = CapacityLimiter(at_once)
        self._fresh = FreshHashes()
        self._judges = _line(1)
        self._judging = CapacityLimiter(1)

    async def close(self) -> None:
        """End the workers, if any has started."""
        if not isinstance(self._hasher, Hashing):
            await asyncio.to_thread(self._hasher.stop)

    @property
    def waiting(self) -> int:
        """How many wait for their turn to be hashed."""
        return self._line.waiting

    async def hash(self, password: str, *, logs_in_next: bool = False) -> str:
        """Return a salted hash. Raises Unavailable when too many wait already.

        Of whom a login is to come at once the password is not hashed again for it.
        """
        tidy = tidy_password(password)
        hashed = await self._do((tidy,), None)
        assert hashed.new_hash is not None  # noqa: S101 - as nothing was to be compared with
        if logs_in_next:
            self._fresh.note(tidy, hashed.new_hash)
        return hashed.new_hash

    async def verify(self, password: str, password_hash: str | None) -> Hashed:
        """Say whether the password fits, and how it is hashed by now, where that has changed.

        An unknown account takes as long as a known one.
        """
        tidy = tidy_password(password)
        if password_hash is not None and self._fresh.fits(tidy, password_hash):
            return Hashed(fits=True)
        # Hashed as it was typed, before passwords were normalized.
        spellings = (tidy,) if tidy == password else (tidy, password)
        hashed = await self._do(spellings, password_hash)
        return Hashed(fits=False) if password_hash is None else hashed

    async def problems(self, password: str, *, about: Sequence[str]) -> list[str]:
        """Return what is wrong with a new password, as sentences, guesses at it included.

        `about` are the account's name and address, which others try first.
        """
        tidy = tidy_password(password)
        lacking = password_problems(tidy)
        if lacking:
            return lacking
        async with self._judges.turn(caller_source()):
            return await to_thread.run_sync(
                partial(strength_problems, tidy, about=about), limiter=self._judging
            )

    async def _do(self, passwords: tuple[str, ...], password_hash: str | None) -> Hashed:
        async with self._line.turn(caller_source()):
            if isinstance(self._hasher, Hashing):
                return await to_thread.run_sync(
                    self._hasher, passwords, password_hash, limiter=self._threads
                )
            hashing = asyncio.ensure_future(self._hasher.run(passwords, password_hash))
            try:
                return await asyncio.shield(hashing)
            except asyncio.CancelledError:
                # To give it up would end its worker, whose successor takes longer to start.
                await asyncio.wait([hashing])
                raise


def _line(at_once: int) -> FairQueue:
    return FairQueue(
        at_once=at_once,
        max_waiting=MAX_WAITING,
        refusal="Too many people are logging in at this moment.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )
