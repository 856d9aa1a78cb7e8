import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media.responses.headers import content_disposition


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        (None, "inline"),
        ("", "inline"),
        ("IMG_1.jpg", 'inline; filename="IMG_1.jpg"'),
        ("a b.jpg", 'inline; filename="a b.jpg"'),
        ("Zoë.jpg", "inline; filename=\"Zo_.jpg\"; filename*=UTF-8''Zo%C3%AB.jpg"),
        ("../../etc/passwd", 'inline; filename=".._.._etc_passwd"'),
        ('a"; filename="b', 'inline; filename="a_; filename=_b"'),
        ("a\r\nX-Evil: 1", 'inline; filename="a__X-Evil: 1"'),
    ],
)
def test_the_header_carries_the_name_and_nothing_else(filename: str | None, header: str) -> None:
    assert content_disposition(filename) == header


@given(st.text())
def test_any_name_gives_one_line_of_latin_letters(filename: str) -> None:
    header = content_disposition(filename)

    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') in {0, 2}
