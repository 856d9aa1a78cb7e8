import pytest

from libs.common.signing_keys import Purpose, SigningKeys, hkdf

SECRET = "a secret that is used by the tests only"


def test_the_derivation_is_that_of_rfc_5869() -> None:
    """Appendix A.3: no salt, no info; the first of its two blocks."""
    assert hkdf(b"\x0b" * 22, b"").hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    )


def test_every_purpose_has_a_key_of_its_own_that_is_not_the_secret() -> None:
    keys = [SigningKeys(SECRET).current(purpose).key for purpose in Purpose]
    assert len(set(keys)) == len(Purpose)
    assert SECRET.encode() not in keys


def test_the_secret_is_told_by_the_ids_of_its_keys_and_not_told_itself() -> None:
    keys, others = SigningKeys(SECRET), SigningKeys(SECRET + "x")
    ids = {keys.current(purpose).id for purpose in Purpose}
    assert len(ids) == 1
    assert ids.isdisjoint(others.current(purpose).id for purpose in Purpose)
    for shown in (repr(keys), repr(keys.current(Purpose.INTERNAL))):
        assert SECRET not in shown
        assert repr(keys.current(Purpose.INTERNAL).key) not in shown


@pytest.mark.parametrize(("secret", "previous"), [("", None), (SECRET, "")])
def test_an_empty_secret_is_refused(secret: str, previous: str | None) -> None:
    with pytest.raises(ValueError, match="empty secret"):
        SigningKeys(secret, previous)
