"""What is read of a JPEG's segments."""

import io

import pytest
from PIL import Image

from libs.common.images.reading import jpeg
from libs.common.images.reading.steps import MAX_BLOCK_BYTES, Found, Metadata, read_from
from tests.support.damaged_files import SOI, encoded

EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
PART = b"a" * 65_000
PARTS = MAX_BLOCK_BYTES // len(PART)


def app1(content: bytes) -> bytes:
    return b"\xff\xe1" + (len(content) + 2).to_bytes(2) + content


def read(segments: bytes) -> Found:
    clean = encoded(Image.new("RGB", (8, 9)))
    return read_from(jpeg.parse(), io.BytesIO(SOI + segments + clean[len(SOI) :]))


@pytest.mark.parametrize(("parts", "expected"), [(1, PART), (PARTS, PART * PARTS)])
def test_a_block_is_joined_of_its_segments(parts: int, expected: bytes) -> None:
    assert read(app1(EXIF + PART) * parts).metadata == Metadata(exif=expected)


@pytest.mark.parametrize("parts", [PARTS + 1, 3 * PARTS])
def test_a_block_that_is_too_large_is_none(parts: int) -> None:
    found = read(app1(EXIF + PART) * parts + app1(XMP + b"<x/>"))

    assert found.metadata == Metadata(xmp=b"<x/>")
    assert (found.width, found.height) == (8, 9)


@pytest.mark.parametrize("length", [b"\0\0", b"\0\1", b"\0\2"])
def test_a_segment_of_nothing_has_nothing(length: bytes) -> None:
    found = read(b"\xff\xe1" + length + app1(EXIF + b"MM"))

    assert found.metadata == Metadata(exif=b"MM")
