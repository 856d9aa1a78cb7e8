import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import InvalidInput
from services.gallery.people.recognition_client import PersonPlace

numbers = st.integers(0, 2**63 - 1)


@given(numbers, numbers)
def test_a_place_comes_back_from_its_cursor(photo_count: int, person_id: int) -> None:
    place = PersonPlace(photo_count, person_id)
    assert PersonPlace.of_cursor(place.cursor()) == place


@given(st.text(max_size=40) | st.binary(min_size=16, max_size=16).map(
    lambda packed: base64.urlsafe_b64encode(b"\xff" + packed[1:]).decode()
))  # fmt: skip
def test_any_other_word_is_refused(cursor: str) -> None:
    try:
        place = PersonPlace.of_cursor(cursor)
    except InvalidInput:
        return
    assert place.cursor().rstrip("=") == cursor.rstrip("=")


def test_the_refusal_says_where_cursors_come_from() -> None:
    with pytest.raises(InvalidInput, match="Link header"):
        PersonPlace.of_cursor("elsewhere")
