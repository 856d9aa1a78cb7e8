"""Computes password hashes, in worker processes that give way to everything else.

A thread of low priority would not do: it comes back with its hash for Python's lock, and whoever
answers lists waits until it gets a core to take it (beside two busy cores the worst turn of a loop
was 106 ms late with threads of niceness 15, 21 ms at 10, 28 ms at 0, and 8 ms with processes).
"""

from dataclasses import dataclass, field
from functools import partial

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from libs.common.workers.pool import WorkerPool


@dataclass(frozen=True, slots=True)
class Hashed:
    """Whether the password fits, and its hash by the present parameters where there was none."""

    fits: bool
    new_hash: str | None = field(default=None, repr=False)


class Hashing:
    """Argon2id. A hash names its own parameters: older ones go on to be good."""

    def __init__(self, hasher: Argon2Hasher) -> None:
        self._hash = PasswordHash((hasher,))

    def __call__(self, passwords: tuple[str, ...], password_hash: str | None) -> Hashed:
        """Compare the spellings of a password with a hash, and hash the first one where need be.

        That is where the hash has other parameters, or none was given: an unknown account takes as
        long as one whose hash has the present parameters. One that has had no login since they were
        changed takes as long as its own: until then the time tells that there is such an account.
        """
        first, *others = passwords
        if password_hash is None:
            return Hashed(fits=False, new_hash=self._hash.hash(first))
        try:
            fits, new_hash = self._hash.verify_and_update(first, password_hash)
            if not fits and any(self._hash.verify(other, password_hash) for other in others):
                return Hashed(fits=True, new_hash=self._hash.hash(first))
        except UnknownHashError:
            return Hashed(fits=False)
        return Hashed(fits, new_hash)


#: Its tasks are those of `Hashing`.
HashingPool = WorkerPool[[tuple[str, ...], str | None], Hashed]


def argon2(memory_kib: int, passes: int, lanes: int) -> Argon2Hasher:
    """Return what hashes with these parameters."""
    return Argon2Hasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)


def hashing_pool(at_once: int, *, memory_kib: int, passes: int, lanes: int) -> HashingPool:
    """Return the workers; they start with the first password that finds none idle."""
    return WorkerPool(
        at_once,
        partial(_hashing, memory_kib, passes, lanes),
        name="password worker",
        is_lazy=True,
    )


def _hashing(memory_kib: int, passes: int, lanes: int) -> Hashing:
    return Hashing(argon2(memory_kib, passes, lanes))
