"""What a guest's copy of a photo says, and that its pixels are those of the photo."""

import io
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageSequence
from PIL.ExifTags import IFD, Base

from services.media.stripping.pieces import CannotStrip, Copy, Kept, Put, Zeros
from services.media.stripping.strip import strip
from tests.support import tattling
from tests.support.bitmaps import header as bitmap_header

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": tattling.jpeg,
    "jpeg-progressive": lambda: tattling.jpeg(6, progressive=True, icc_profile=SRGB),
    "jpeg-restarts": lambda: tattling.jpeg(restart_marker_blocks=1),
    "jpeg-gray": lambda: tattling.saved("JPEG", "L", exif=tattling.exif(8).tobytes()),
    "jpeg-cmyk": lambda: tattling.saved("JPEG", "CMYK", exif=tattling.exif(3).tobytes()),
    "png": tattling.png,
    "png-turned": lambda: tattling.png(6),
    "webp": tattling.webp,
    "webp-turned": lambda: tattling.webp(6, lossless=True, icc_profile=SRGB),
    "webp-film": lambda: tattling.webp(save_all=True, append_images=[tattling.picture()]),
    "gif": tattling.gif,
    "tiff": tattling.tiff,
    "tiff-turned": lambda: tattling.tiff(6, compression="tiff_lzw", icc_profile=SRGB),
    "tiff-big": lambda: tattling.tiff(3, big_tiff=True, compression="tiff_deflate"),
    "tiff-pages": lambda: tattling.tiff(save_all=True, append_images=[tattling.picture()]),
    "bmp": tattling.bmp,
    "heic": tattling.heif,
    "heic-turned": lambda: tattling.heif(orientation=6),
    "heic-of-two": lambda: tattling.heif(save_all=True, append_images=[tattling.picture()]),
    "avif": lambda: tattling.heif("AVIF"),
    "avif-turned": lambda: tattling.heif("AVIF", 8),
}


@cache
def file(name: str) -> bytes:
    """One of the files, encoded once: HEIC and AVIF take long."""
    return FILES[name]()


#: In these the camera's clock stays.
TIMED = ("jpeg", "png", "webp", "heic", "avif")


def content(data: bytes, copy: Copy) -> bytes:
    parts = []
    for piece in copy.pieces:
        match piece:
            case Kept():
                parts.append(data[piece.start : piece.end])
            case Put():
                parts.append(piece.data)
            case Zeros():
                parts.append(bytes(piece.length))
    return b"".join(parts)


def frames(data: bytes) -> list[np.ndarray]:
    with Image.open(io.BytesIO(data)) as image:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize("name", FILES)
def test_a_copy_tells_nothing_and_has_the_same_pixels(name: str) -> None:
    data = file(name)
    assert any(secret in data for secret in tattling.SECRETS)

    copy = strip(data)
    copied = content(data, copy)

    assert copy.size_bytes == len(copied)
    assert [secret for secret in tattling.SECRETS if secret in copied] == []
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(copied)) as after:
        assert (after.mode, after.size) == (before.mode, before.size)
        assert after.info.get("icc_profile") == before.info.get("icc_profile")
        told = after.getexif()
        assert dict(told.get_ifd(IFD.GPSInfo)) == {}
        assert told.get(Base.Orientation, 1) == before.getexif().get(Base.Orientation, 1)
        assert set(told) <= set(before.getexif())
        taken = told.get_ifd(IFD.Exif)
        expected = tattling.TAKEN if name.startswith(TIMED) else None
        assert taken.get(Base.DateTimeOriginal) == expected
        assert set(taken) <= {Base.DateTimeOriginal, Base.OffsetTimeOriginal}
    for pixels, kept in zip(frames(data), frames(copied), strict=True):
        np.testing.assert_array_equal(pixels, kept)


@pytest.mark.parametrize("name", FILES)
def test_a_copy_of_a_copy_is_the_same(name: str) -> None:
    data = file(name)
    copied = content(data, strip(data))

    assert content(copied, strip(copied)) == copied


@pytest.mark.parametrize("name", FILES)
def test_a_note_of_a_copy_is_short_and_reads_as_it_was_written(name: str) -> None:
    copy = strip(file(name))
    note = copy.model_dump_json()

    assert Copy.model_validate_json(note) == copy
    assert len(note) < 30_000


@pytest.mark.parametrize("name", FILES)
def test_the_size_and_the_crc_of_a_copy_are_known_before_it_is_read(name: str) -> None:
    data = file(name)
    copy = strip(data)
    assert copy.size_bytes == len(content(data, copy))
    assert copy.crc32 == zlib.crc32(content(data, copy))


@settings(max_examples=50)
@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_any_part_of_a_copy_can_be_had(first: int, second: int) -> None:
    data = file("jpeg")
    copy = strip(data)
    start, end = sorted((first, second))

    part = Copy(pieces=tuple(copy.part(start, end)), crc32=0)

    assert content(data, part) == content(data, copy)[start:end]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(1, 200_000),
)
def test_a_damaged_file_has_a_copy_or_none_and_nothing_else_is_raised(
    name: str, changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(file(name)[:length])
    for at, value in changes:
        if at < len(data):
            data[at] = value
    try:
        copy = strip(bytes(data))
    except CannotStrip:
        return
    assert content(bytes(data), copy) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        tattling.saved("TIFF", compression="jpeg"),
        tattling.heif("AVIF", save_all=True, append_images=[tattling.picture()]),
        tattling.jpeg()[:300],
        tattling.png()[:300],
        tattling.bmp()[:2000],
        bitmap_header(64, 48, header_bytes=124, profile=(b"KNIL", 124, 20)) + bytes(9216 + 20),
    ],
)
def test_what_is_not_known_well_enough_has_no_copy(data: bytes) -> None:
    with pytest.raises(CannotStrip):
        strip(data)
