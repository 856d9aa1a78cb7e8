import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.accounts.api_keys import PREFIX, ApiKey


def test_a_key_is_read_as_it_is_written_and_fits_what_is_kept_of_it() -> None:
    key = ApiKey.new()
    read = ApiKey.parse(key.text)
    assert read == key
    assert key.text.startswith(PREFIX)
    assert key.fits(key.digest)
    assert not ApiKey(key.id, ApiKey.new().secret).fits(key.digest)


def test_no_two_keys_are_alike_and_what_is_kept_tells_nothing() -> None:
    keys = [ApiKey.new() for _ in range(100)]
    assert len({key.secret for key in keys}) == 100
    for key in keys:
        assert len(key.digest) == 32
        assert key.secret.encode() not in key.digest
        assert key.secret not in repr(key)


KEY_ID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PREFIX,
        f"{PREFIX}{KEY_ID.hex}",
        f"{PREFIX}{KEY_ID.hex}_",
        f"{PREFIX}{KEY_ID}_{'a' * 43}",
        f" {PREFIX}{KEY_ID.hex}_{'a' * 43}",
        f"{PREFIX}{KEY_ID.hex}_{'a' * 43}\n",
        f"{PREFIX}{KEY_ID.hex}_{'a' * 42}é",
    ],
)
def test_what_is_written_otherwise_is_no_key(text: str) -> None:
    assert ApiKey.parse(text) is None


@given(st.text())
def test_any_text_is_a_key_or_none(text: str) -> None:
    key = ApiKey.parse(text)
    assert key is None or key.text == text
