"""A password is not hashed again for the login after a registration, and for that one alone."""

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from services.gallery.accounts import fresh_hashes
from services.gallery.accounts.fresh_hashes import MAX_KEPT, FreshHashes
from services.gallery.accounts.passwords import Passwords
from tests.support.polling import eventually

PASSWORD = "Wedding-Band-12"


class CountedHasher(Argon2Hasher):
    """Knows how often it compared a password with a hash."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.compared = 0

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002 - its name
        self.compared += 1
        return super().verify(password, hash)


async def test_the_first_login_costs_no_hash_and_the_next_one_does() -> None:
    hasher = CountedHasher()
    passwords = Passwords(at_once=1, hasher=hasher)
    made = await passwords.hash(PASSWORD, logs_in_next=True)
    assert (await passwords.verify(PASSWORD, made)).fits
    assert hasher.compared == 0
    assert (await passwords.verify(PASSWORD, made)).fits
    assert hasher.compared == 1


async def test_nothing_is_kept_of_a_password_that_is_set_otherwise() -> None:
    hasher = CountedHasher()
    passwords = Passwords(at_once=1, hasher=hasher)
    assert (await passwords.verify(PASSWORD, await passwords.hash(PASSWORD))).fits
    assert hasher.compared == 1


async def test_a_wrong_password_takes_as_long_as_ever_and_is_wrong() -> None:
    hasher = CountedHasher()
    passwords = Passwords(at_once=1, hasher=hasher)
    made, other = [await passwords.hash(PASSWORD, logs_in_next=True) for _ in range(2)]
    assert not (await passwords.verify("Harvest-Moon-34", made)).fits
    assert hasher.compared == 1
    # One hash's login is no other's.
    assert (await passwords.verify(PASSWORD, other)).fits
    assert (await passwords.verify(PASSWORD, other)).fits
    assert hasher.compared == 2


async def test_it_is_kept_for_a_while_and_nothing_of_it_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fresh_hashes, "KEPT_SECONDS", 0.01)
    fresh = FreshHashes()
    fresh.note(PASSWORD, "hash")

    async def is_gone() -> bool:
        return not fresh._digests

    await eventually(is_gone, poll_seconds=0.01)
    assert not fresh.fits(PASSWORD, "hash")


async def test_only_so_many_are_kept_and_nothing_that_tells_a_password() -> None:
    fresh = FreshHashes()
    for number in range(MAX_KEPT + 1):
        fresh.note(f"{PASSWORD}{number}", f"hash {number}")
    assert not fresh.fits(f"{PASSWORD}0", "hash 0")
    assert fresh.fits(f"{PASSWORD}1", "hash 1")
    assert len(fresh._digests) == MAX_KEPT - 1
    assert PASSWORD.encode() not in b"".join(fresh._digests.values())
