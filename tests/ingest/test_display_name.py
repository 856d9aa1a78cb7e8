import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.photos.names import MAX_NAME_CHARACTERS, UNNAMED, display_name


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("IMG_0001.jpg", "IMG_0001.jpg"),
        ("../../etc/passwd.jpg", "passwd.jpg"),
        (r"C:\Users\ana\Desktop\boda.jpg", "boda.jpg"),
        ("/absolute/path/", UNNAMED),
        ("..", UNNAMED),
        ("", UNNAMED),
        ("party 🎉 👨‍👩‍👧.jpg", "party 🎉 👨‍👩‍👧.jpg"),
        ("new\r\nline\0.jpg", "newline.jpg"),
        ("cafe\u0301.jpg", "café.jpg"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("  spaced .jpg ", "spaced .jpg"),
    ],
)
def test_a_name_is_shown_without_path_and_invisible_characters(sent: str, shown: str) -> None:
    assert display_name(sent.encode()) == shown


def test_bytes_that_are_not_utf8_are_latin_1() -> None:
    assert display_name(b"caf\xe9.jpg") == "café.jpg"


def test_a_long_name_keeps_its_extension() -> None:
    shown = display_name(("🎉" * 400 + ".jpeg").encode())

    assert len(shown) == MAX_NAME_CHARACTERS
    assert shown.endswith("🎉.jpeg")


def test_a_long_name_without_an_extension_is_cut() -> None:
    assert display_name(b"x" * 400 + b"." + b"y" * 400) == "x" * MAX_NAME_CHARACTERS


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_every_name_can_be_stored_and_shown(sent: bytes) -> None:
    shown = display_name(sent)

    assert 1 <= len(shown) <= MAX_NAME_CHARACTERS
    assert not set(shown) & {"/", "\\", "\0", "\n", "\u202e"}
    assert shown not in {".", ".."}
    assert unicodedata.is_normalized("NFC", shown)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs"}


@given(st.text())
def test_cleaning_twice_changes_nothing(name: str) -> None:
    once = display_name(name.encode("utf-8", "surrogatepass"))

    assert display_name(once.encode()) == once
