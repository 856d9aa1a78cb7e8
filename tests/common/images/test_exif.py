"""What is asked for of EXIF, of blocks that say more than they should."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL.ExifTags import IFD, Base
from PIL.Image import Exif

from libs.common.errors import InvalidInput
from libs.common.images.formats import ImageFormat, sniff
from libs.common.images.reading.exif import reduced
from services.ingest.images.header import read_header
from services.media.stripping import exif as stripping

MOMENT = "2026:06:13 15:04:05"
MAX_PIXELS = 100_000_000


def block(*, orientation: int = 6) -> bytes:
    exif = Exif()
    exif[Base.Orientation] = orientation
    exif[Base.Software] = "a program"
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = MOMENT
    return exif.tobytes()


def loaded(data: bytes) -> Exif:
    exif = Exif()
    exif.load(data)
    return exif


def bomb(tags: int, length: int) -> bytes:
    """A directory whose tags all have the same bytes as their value."""
    entries = b"".join(struct.pack("<HHII", 1000 + n, 7, length, 64) for n in range(tags))
    return b"II*\0" + struct.pack("<IH", 8, tags) + entries + bytes(4) + bytes(length)


@pytest.mark.parametrize("head", [b"", b"Exif\0\0"])
def test_what_is_asked_for_is_kept_and_nothing_else(head: bytes) -> None:
    exif = loaded(reduced(head + block().removeprefix(b"Exif\0\0")))
    assert dict(exif) == {Base.Orientation: 6, Base.ExifOffset: exif[Base.ExifOffset]}
    assert exif.get_ifd(IFD.Exif) == {Base.DateTimeOriginal: MOMENT}


def test_thousands_of_tags_that_share_a_value_are_not_copied() -> None:
    data = bomb(2000, 1_000_000)
    assert len(reduced(data)) < 1000
    assert stripping.stripped(data) == b""


@given(st.binary(max_size=200), st.integers(0, 80))
def test_damaged_blocks_say_nothing_or_less(noise: bytes, at: int) -> None:
    whole = block()
    loaded(reduced(whole[:at] + noise + whole[at + len(noise) :]))


def tiff(order: str, *entries: tuple[int, int, int, int]) -> bytes:
    """A TIFF of a directory alone: tag, type, count and value of each entry."""
    table = b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(order + "HIH", 42, 8, len(entries)) + table + bytes(4)


@pytest.mark.parametrize(
    "data",
    [
        b"II+\0\x08\0\0\0" + b"\xff" * 8 + bytes(64),
        tiff("<", (256, 4, 1, 640), (257, 4, 1, 480), (254, 2, 4, 0x41414141)),
        tiff("<", (256, 4, 1, 640), (257, 4, 1, 480), (254, 11, 1, 0x7F800000)),
    ],
    ids=["a directory behind all numbers", "a kind in letters", "an infinite kind"],
)
def test_odd_tiffs_are_refused_by_a_sentence(data: bytes) -> None:
    assert sniff(data) is ImageFormat.TIFF
    with pytest.raises(InvalidInput):
        read_header(data, max_pixels=MAX_PIXELS)
