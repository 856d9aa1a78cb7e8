import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.storage.keys import InvalidKey, checked_folder, checked_key, checked_prefix

REFUSED = [
    "",
    "/etc/passwd",
    "..",
    "events/../../secret",
    "events/./a",
    "events//a",
    "a\0b",
    "a\\b",
    ".parts/x",
    "a" * 256,
    "ä" * 128,
    "a/" * 600 + "a",
    "\ud800",
]


@pytest.mark.parametrize("key", [*REFUSED, "events/"])
def test_a_key_that_could_escape_or_not_be_stored_is_refused(key: str) -> None:
    with pytest.raises(InvalidKey):
        checked_key(key)


@pytest.mark.parametrize("key", ["a", "events/1/photos/a.jpg", "a/.parts", "Grüße 😀 %2e", "..."])
def test_a_plain_key_is_returned_as_it_is(key: str) -> None:
    assert checked_key(key) == key


@given(st.text(st.sampled_from("a./\\\0")))
def test_an_accepted_key_stays_below_the_root(key: str) -> None:
    try:
        checked_key(key)
    except InvalidKey:
        return
    depth = 0
    for segment in key.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(segment, 1)
        assert depth > 0


@pytest.mark.parametrize("prefix", ["", "ev", "events/", "events/1/pho"])
def test_a_prefix_may_be_cut_anywhere(prefix: str) -> None:
    assert checked_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", [key for key in REFUSED if key])
def test_a_prefix_is_as_strict_as_a_key(prefix: str) -> None:
    with pytest.raises(InvalidKey):
        checked_prefix(prefix)


@pytest.mark.parametrize("prefix", ["", "/", "events/1", "events//", "../"])
def test_a_folder_must_be_named_whole(prefix: str) -> None:
    with pytest.raises(InvalidKey):
        checked_folder(prefix)
