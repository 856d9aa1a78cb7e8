from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import InvalidInput
from services.gallery.web.paging import Place, decode_cursor, encode_cursor

MOMENTS = st.integers(0, 7_000_000_000_000_000).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@given(st.builds(Place, MOMENTS, st.integers(1, 2**63 - 1)))
def test_a_cursor_names_the_place_it_was_made_of(place: Place) -> None:
    cursor = encode_cursor(place)
    assert decode_cursor(cursor) == place
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text())
def test_any_other_word_is_refused_or_names_a_place(word: str) -> None:
    try:
        place = decode_cursor(word)
    except InvalidInput:
        return
    assert place.moment.tzinfo is not None
    assert 0 <= place.photo_id < 2**63


@pytest.mark.parametrize("word", ["x", "////////////////////", "_" * 22, "A" * 400])
def test_a_made_up_cursor_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(word)
