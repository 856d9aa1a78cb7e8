import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gallery.events.rules import CODE_ALPHABET, code_key, generate_code


@pytest.mark.parametrize("typed", ["AB12CD", " ab12cd ", "ab 12\tcd", "aB1\u00a02cD\n"])
def test_codes_compare_without_case_and_white_space(typed: str) -> None:
    assert code_key(typed) == "AB12CD"


@given(st.text())
def test_a_key_is_its_own_key(typed: str) -> None:
    assert code_key(code_key(typed)) == code_key(typed)


def test_generated_codes_are_eight_upper_case_letters_and_digits() -> None:
    codes = {generate_code() for _ in range(200)}
    assert len(codes) == 200
    assert set(CODE_ALPHABET) == set(string.ascii_uppercase + string.digits)
    assert all(len(code) == 8 and set(code) <= set(CODE_ALPHABET) for code in codes)
    assert {code_key(code) for code in codes} == codes
