"""A password is not hashed again for the first login after it was set, and for that one alone."""

from pwdlib.hashers.argon2 import Argon2Hasher

from services.gallery.accounts.fresh_hashes import MAX_KEPT, FreshHashes
from services.gallery.accounts.passwords import Passwords

PASSWORD = "Wedding-Band-12"


class CountedHasher(Argon2Hasher):
    """Knows how often it compared a password with a hash."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.compared = 0

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002 - as it is named there
        self.compared += 1
        return super().verify(password, hash)


async def test_the_first_login_costs_no_hash_and_the_next_one_does() -> None:
    hasher = CountedHasher()
    passwords = Passwords(at_once=1, hasher=hasher)
    made = await passwords.hash(PASSWORD)
    assert (await passwords.verify(PASSWORD, made)).fits
    assert hasher.compared == 0
    assert (await passwords.verify(PASSWORD, made)).fits
    assert hasher.compared == 1


async def test_a_wrong_password_takes_as_long_as_ever_and_is_wrong() -> None:
    hasher = CountedHasher()
    passwords = Passwords(at_once=1, hasher=hasher)
    made, other = await passwords.hash(PASSWORD), await passwords.hash(PASSWORD)
    assert not (await passwords.verify("Harvest-Moon-34", made)).fits
    assert hasher.compared == 1
    # One hash's login is no other's.
    assert (await passwords.verify(PASSWORD, other)).fits
    assert (await passwords.verify(PASSWORD, other)).fits
    assert hasher.compared == 2


def test_only_so_many_are_kept_and_nothing_that_tells_a_password() -> None:
    fresh = FreshHashes()
    for number in range(MAX_KEPT + 1):
        fresh.note(f"{PASSWORD}{number}", f"hash {number}")
    assert not fresh.fits(f"{PASSWORD}0", "hash 0")
    assert fresh.fits(f"{PASSWORD}1", "hash 1")
    assert len(fresh._digests) == MAX_KEPT - 1
    assert PASSWORD.encode() not in b"".join(fresh._digests.values())
