import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from libs.common.images.formats import ImageFormat
from services.ingest.images.header import UnusableImage, read_header
from tests.support.image_files import image_file, png_of_claimed_size
from tests.support.image_formats import with_brands

MAX_PIXELS = 100_000_000
TAKEN = "2026:06:01 18:30:05"
FORMATS = {
    "JPEG": ImageFormat.JPEG,
    "MPO": ImageFormat.JPEG,
    "PNG": ImageFormat.PNG,
    "WEBP": ImageFormat.WEBP,
    "HEIF": ImageFormat.HEIC,
    "AVIF": ImageFormat.AVIF,
    "TIFF": ImageFormat.TIFF,
    "GIF": ImageFormat.GIF,
    "BMP": ImageFormat.BMP,
}
WITH_EXIF = ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF"]


@pytest.mark.parametrize("written", FORMATS)
def test_format_and_size_are_told_by_content(written: str) -> None:
    header = read_header(image_file(written, size=(64, 48)), max_pixels=MAX_PIXELS)

    assert (header.format, header.width, header.height) == (FORMATS[written], 64, 48)
    assert header.taken is None


@pytest.mark.parametrize("written", WITH_EXIF)
@pytest.mark.parametrize("orientation", [6, 8])
def test_the_size_is_that_of_the_upright_image(written: str, orientation: int) -> None:
    content = image_file(written, size=(64, 48), orientation=orientation)

    header = read_header(content, max_pixels=MAX_PIXELS)

    assert (header.width, header.height) == (48, 64)


@pytest.mark.parametrize("written", WITH_EXIF)
def test_an_image_upside_down_keeps_its_size(written: str) -> None:
    header = read_header(image_file(written, size=(64, 48), orientation=3), max_pixels=MAX_PIXELS)

    assert (header.width, header.height) == (64, 48)


@pytest.mark.parametrize("written", WITH_EXIF)
def test_the_cameras_clock_is_read(written: str) -> None:
    header = read_header(image_file(written, taken=TAKEN), max_pixels=MAX_PIXELS)

    assert header.taken is not None
    assert header.taken.moment.isoformat() == "2026-06-01T18:30:05"


@pytest.mark.parametrize("taken", ["0000:00:00 00:00:00", "yesterday", ""])
def test_a_clock_that_was_never_set_is_no_time(taken: str) -> None:
    assert read_header(image_file(taken=taken), max_pixels=MAX_PIXELS).taken is None


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
        ("PNG", "I;16"),
        ("PNG", "P"),
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("PNG", "1"),
        ("TIFF", "I;16"),
        ("TIFF", "CMYK"),
        ("WEBP", "RGBA"),
    ],
)
def test_every_kind_of_pixel_is_accepted(written: str, mode: str) -> None:
    header = read_header(image_file(written, mode=mode, size=(64, 48)), max_pixels=MAX_PIXELS)

    assert (header.width, header.height) == (64, 48)


@pytest.mark.parametrize("written", ["JPEG", "PNG", "HEIF", "GIF"])
def test_the_beginning_of_a_large_file_is_enough(written: str) -> None:
    content = image_file(written, size=(800, 600))

    header = read_header(content[:4096], max_pixels=MAX_PIXELS)

    assert (header.width, header.height) == (800, 600)


@pytest.mark.parametrize("lossless", [True, False])
def test_the_beginning_of_a_webp_is_enough(lossless: bool) -> None:
    file = io.BytesIO()
    Image.effect_noise((800, 600), 60).convert("RGB").save(file, "WEBP", lossless=lossless)

    header = read_header(file.getvalue()[:100], max_pixels=MAX_PIXELS)

    assert (header.width, header.height) == (800, 600)


def test_pixels_are_limited_before_anything_is_decoded() -> None:
    with pytest.raises(UnusableImage, match="50000 x 50000 pixels; at most 100 million"):
        read_header(png_of_claimed_size(50_000, 50_000), max_pixels=MAX_PIXELS)


def test_the_limit_itself_is_accepted() -> None:
    header = read_header(png_of_claimed_size(10_000, 10_000), max_pixels=MAX_PIXELS)

    assert header.width * header.height == MAX_PIXELS


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(UnusableImage, match="empty"):
        read_header(b"", max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(
    "content",
    [
        b"<html>not found</html>",
        b"%PDF-1.7",
        b"Dear photographer,",
        b"\0\0\0\x1cftypisom" + b"\0" * 99,
    ],
)
def test_what_is_not_a_photo_is_refused_with_what_to_send(content: bytes) -> None:
    with pytest.raises(UnusableImage, match=r"Send .*JPEG, PNG"):
        read_header(content, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(
    ("written", "brand", "problem"),
    [
        ("AVIF", b"heic", "says that it is HEIC, but its picture is AVIF"),
        ("HEIF", b"avif", "says that it is AVIF, but its picture is HEIC"),
        ("AVIF", b"mif1", "says that it is HEIC, but its picture is AVIF"),
    ],
)
def test_a_picture_that_is_coded_otherwise_than_its_brands_say_is_refused(
    written: str, brand: bytes, problem: str
) -> None:
    content = with_brands(image_file(written), brand, b"mif1")

    with pytest.raises(UnusableImage, match=problem):
        read_header(content, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("written", FORMATS)
@pytest.mark.parametrize("length", [13, 20])
def test_a_header_that_is_cut_off_is_refused(written: str, length: int) -> None:
    content = image_file(written)[:length]
    if written == "GIF":
        content = content[:9]  # its whole header has 13 bytes
    if written == "BMP":
        content = image_file(written)[:19]  # it is told by the 18th

    with pytest.raises(UnusableImage, match="damaged or cut off"):
        read_header(content, max_pixels=MAX_PIXELS)


def test_a_raw_file_is_not_taken_for_its_preview() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    file = io.BytesIO()
    Image.new("RGB", (160, 120)).save(file, "TIFF", tiffinfo=tags)

    with pytest.raises(UnusableImage, match="raw file"):
        read_header(file.getvalue(), max_pixels=MAX_PIXELS)


SAMPLES = [
    image_file(written, orientation=6, taken=TAKEN) for written in FORMATS if written != "GIF"
]


@settings(max_examples=300)
@given(st.sampled_from(SAMPLES), st.data())
def test_damaged_bytes_give_a_header_or_a_sentence_and_nothing_else(
    sample: bytes, data: st.DataObject
) -> None:
    content = bytearray(sample[: data.draw(st.integers(0, len(sample)))])
    for _ in range(data.draw(st.integers(0, 8))):
        if content:
            content[data.draw(st.integers(0, min(len(content), 600) - 1))] = data.draw(
                st.integers(0, 255)
            )

    try:
        header = read_header(bytes(content), max_pixels=MAX_PIXELS)
    except UnusableImage:
        return
    assert 1 <= header.width * header.height <= MAX_PIXELS


def test_a_picture_that_is_cropped_counts_with_all_that_is_decoded() -> None:
    content = bytearray(image_file("HEIF", size=(99, 63)))
    assert b"clap" in content  # its size is odd, and a picture's is coded even
    at = content.index(b"ispe") + 8
    assert read_header(bytes(content), max_pixels=100 * 64).width == 99

    struct.pack_into(">II", content, at, 10_000, 10_001)

    with pytest.raises(UnusableImage, match="10000 x 10001 pixels"):
        read_header(bytes(content), max_pixels=MAX_PIXELS)
