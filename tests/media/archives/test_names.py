from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media.archives.names import Numbered, day_name, file_name, folder_name


@pytest.mark.parametrize(
    ("uploaded", "extension", "name"),
    [
        ("IMG_1.jpg", "jpg", "IMG_1.jpg"),
        ("IMG_1.JPG", "jpg", "IMG_1.JPG"),
        ("été à la mer.jpeg", "jpg", "été à la mer.jpeg"),
        ("👰🏽‍♀️.heic", "heic", "👰🏽‍♀️.heic"),
        ("👩‍👩‍👧.jpg", "jpg", "👩‍👩‍👧.jpg"),
        ("क्‍ष.jpg", "jpg", "क्‍ष.jpg"),
        # Where it joins nothing, nobody sees it.
        ("‍a‍.jpg", "jpg", "a.jpg"),
        ("a ‍b.‍exe.jpg", "jpg", "a b.exe.jpg"),
        ("宴" * 120 + ".jpg", "jpg", "宴" * 80 + ".jpg"),
        ("a" + "宴" * 120 + ".jpg", "jpg", "a" + "宴" * 79 + ".jpg"),
        ("without", "png", "without.png"),
        ("run.exe", "jpg", "run.exe.jpg"),
        ("../../etc/passwd.jpg", "jpg", ".._.._etc_passwd.jpg"),
        ("..\\..\\boot.jpg", "jpg", ".._.._boot.jpg"),
        ("C:\\a.jpg", "jpg", "C__a.jpg"),
        ("...jpg", "jpg", "photo.jpg"),
        (".jpg", "jpg", "photo.jpg"),
        ("con.jpg", "jpg", "_con.jpg"),
        ("NUL.tar.jpg", "jpg", "_NUL.tar.jpg"),
        ("console.jpg", "jpg", "console.jpg"),
        ("a\u202egpj.exe.jpg", "jpg", "agpj.exe.jpg"),
        ('a<b>:"c"|?*.jpg', "jpg", "a_b___c____.jpg"),
        ("line\nfeed\0.jpg", "jpg", "linefeed.jpg"),
        ("dots. . .jpg", "jpg", "dots.jpg"),
        ("x" * 300 + ".jpg", "jpg", "x" * 100 + ".jpg"),
        # As macOS writes it: one letter and its accent.
        ("e\u0301.jpg", "jpg", "é.jpg"),
    ],
)
def test_a_photo_is_called_as_it_was_uploaded_where_every_system_can_unpack_that(
    uploaded: str, extension: str, name: str
) -> None:
    assert file_name(uploaded, extension) == name


@given(st.text(max_size=300))
def test_no_name_leads_out_of_its_folder(text: str) -> None:
    for name in (file_name(text, "jpg"), folder_name(text, "Other")):
        assert name not in {"", ".", ".."}
        assert not set(name) & set('/\\:*?"<>|\0')
        assert name == name.strip()
        assert not name.endswith(".")
        assert len(name.encode()) <= 255 - len(" (100000)")


def test_doubled_names_are_numbered_whatever_their_case() -> None:
    names = Numbered()
    asked = ["IMG_1.jpg", "img_1.JPG", "IMG_1 (2).jpg", "IMG_1.jpg", "É.jpg", "e\u0301.jpg"]
    assert [names.unique("", name) for name in asked] == [
        "IMG_1.jpg",
        "img_1 (2).JPG",
        "IMG_1 (2) (2).jpg",
        "IMG_1 (3).jpg",
        "É.jpg",
        "e\u0301 (2).jpg",
    ]


def test_the_same_name_in_two_folders_is_not_doubled() -> None:
    names = Numbered()
    assert [names.unique(folder, "a.jpg") for folder in ("Ada", "Eve", "ada")] == [
        "Ada/a.jpg",
        "Eve/a.jpg",
        "ada/a (2).jpg",
    ]


@given(
    st.lists(st.sampled_from(["a.jpg", "A.jpg", "a (2).jpg", "A (2).JPG", "b.jpg"]), max_size=40)
)
def test_every_name_is_given_once(asked: list[str]) -> None:
    names = Numbered()
    given_names = [names.unique("", name).casefold() for name in asked]
    assert len(set(given_names)) == len(asked)


def test_thousands_of_one_name_take_no_longer_each() -> None:
    names = Numbered()
    last = [names.unique("", "image.jpg") for _ in range(20_000)][-1]
    assert last == "image (20000).jpg"


def test_days_are_in_the_order_of_their_names() -> None:
    days = [datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)]
    assert [day_name(day) for day in days] == ["2026-01-31", "2026-11-02"]
