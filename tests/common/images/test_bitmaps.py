"""BMP in every kind: its header, its pixels for analysis and renditions, and those that lie."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from libs.common.images.bitmaps import opened
from libs.common.images.formats import ImageFormat, image_format
from services.ingest.images.header import UnusableImage, read_header
from services.media.renditions.decoding import CannotDecode
from services.media.renditions.rendition_worker import render
from services.recognition.engine.decode import decode
from services.recognition.engine.face_engine import UndecodablePhoto
from tests.support.bitmaps import (
    bitmaps,
    header,
    hostile_bitmaps,
    lines,
    refused_bitmaps,
)

MAX_PIXELS = 210_000_000
CORNERS = ((200, 30, 30), (30, 160, 40), (40, 50, 190), (220, 200, 40))


def quarters(width: int = 321, height: int = 240) -> Image.Image:
    """A colour in each quarter; the width makes lines that have to be filled up."""
    picture = Image.new("RGB", (width, height))
    for at, colour in enumerate(CORNERS):
        left, top = at % 2 * width // 2, at // 2 * height // 2
        picture.paste(colour, (left, top, left + width // 2 + 1, top + height // 2))
    return picture


KINDS = dict(bitmaps(quarters()))
every_kind = pytest.mark.parametrize("name", KINDS)


def colours(picture: Image.Image) -> list[tuple[int, ...]]:
    width, height = picture.size
    pixels = np.asarray(picture.convert("RGB"))
    return [
        tuple(int(value) for value in pixels[height * (1 + 2 * row) // 4, width * column // 4])
        for row in (0, 1)
        for column in (1, 3)
    ]


def is_alike(found: list[tuple[int, ...]], tolerance: int) -> bool:
    return bool(np.abs(np.array(found) - np.array(CORNERS)).max() <= tolerance)


@every_kind
def test_its_header_tells_its_size(name: str) -> None:
    found = read_header(KINDS[name], max_pixels=MAX_PIXELS)

    assert (found.format, found.width, found.height) == (ImageFormat.BMP, 321, 240)


@every_kind
def test_it_is_analysed_and_shown_upright_in_its_colours(name: str, tmp_path: Path) -> None:
    path = tmp_path / "photo"
    path.write_bytes(KINDS[name])

    photo = decode(path)
    shown = Image.open(io.BytesIO(render(str(path), 400, MAX_PIXELS)))

    assert (photo.width, photo.height) == (321, 240)
    assert shown.size == (321, 240)
    # 16 bits leave out the last three of each colour.
    assert is_alike(colours(Image.fromarray(photo.pixels)), 8)
    assert is_alike(colours(shown), 12)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_what_pillow_writes_keeps_its_brightness(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "photo"
    picture = Image.linear_gradient("L").convert(mode)
    picture.save(path, "BMP")

    assert abs(float(decode(path).pixels.mean()) - 127.5) < 3


def test_a_profile_that_it_brings_is_applied(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    start = profile.index(b"para")
    linear = profile[:start] + b"curv" + bytes(8) + profile[start + 12 :]
    samples = np.full((240, 3 * 320), 128, np.uint8)
    told = header(320, 240, header_bytes=124, profile=(b"DEBM", 124 + samples.size, len(linear)))
    path = tmp_path / "photo"
    path.write_bytes(told + lines(samples) + linear)

    shown = Image.open(io.BytesIO(render(str(path), 400, MAX_PIXELS)))

    # Half of the light is 188 in sRGB.
    assert np.abs(np.asarray(shown, dtype=float) - 188).max() < 4


@pytest.mark.parametrize(("name", "content", "said"), list(refused_bitmaps()))
def test_what_pillow_does_not_read_is_refused_by_its_name_and_given_to_nobody(
    name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(UnusableImage, match=f"BMP files with {said} are not taken"):
        read_header(content, max_pixels=MAX_PIXELS)
    with pytest.raises(UndecodablePhoto):
        decode(path)
    with pytest.raises(CannotDecode):
        render(str(path), 400, MAX_PIXELS)


@pytest.mark.parametrize(("name", "content"), list(hostile_bitmaps()))
def test_what_lies_is_refused_before_it_is_stored_and_by_every_decoder(
    name: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "photo"
    path.write_bytes(content)

    with pytest.raises(UnusableImage):
        read_header(content, max_pixels=MAX_PIXELS)
    with pytest.raises(UndecodablePhoto):
        decode(path)
    with pytest.raises(CannotDecode):
        render(str(path), 400, MAX_PIXELS)


def test_it_is_limited_before_its_pixels_are_looked_for() -> None:
    with pytest.raises(UnusableImage, match="20000 x 20000 pixels; at most 210 million"):
        read_header(header(20_000, -20_000) + bytes(4), max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("reserved", [bytes(4), b"\1\2\3\4"])
def test_it_is_told_by_its_header_s_size_and_not_by_two_letters(reserved: bytes) -> None:
    content = header(64, 48)

    assert image_format(content[:6] + reserved + content[10:]) is ImageFormat.BMP
    assert image_format(b"BMW and other words " + bytes(60)) is None


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.tuples(st.integers(14, 150), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(20, 400_000),
)
def test_what_is_damaged_is_read_or_refused_and_nothing_else_is_raised(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    changes: list[tuple[int, int]],
    length: int,
) -> None:
    content = bytearray(KINDS[name][:length])
    for at, value in changes:
        if at < len(content):
            content[at] = value
    path = tmp_path_factory.mktemp("damaged") / "photo"
    path.write_bytes(content)
    try:
        told = read_header(bytes(content), max_pixels=1_000_000)
    except UnusableImage:
        told = None
    try:
        photo = decode(path, pixel_limit=1_000_000)
    except UndecodablePhoto:
        return
    assert told is not None
    assert (photo.width, photo.height) == (told.width, told.height)


@pytest.mark.parametrize(("bits", "value"), [(0, (0, 0, 255)), (255, (250, 200, 0))])
def test_one_bit_a_pixel_has_the_colours_that_its_palette_says(
    bits: int, value: tuple[int, int, int], tmp_path: Path
) -> None:
    path = tmp_path / "photo"
    table = struct.pack("<II", 0x000000FF, 0x00FAC800)
    path.write_bytes(header(640, 480, 1) + table + bytes([bits]) * (640 // 8 * 480))

    assert tuple(decode(path).pixels[0, 0]) == value


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("is_top_down", [False, True])
def test_indices_are_no_bits_where_a_palette_is_just_black_and_white(
    bits: int, is_top_down: bool, tmp_path: Path
) -> None:
    path = tmp_path / "photo"
    indices = np.zeros((480, 640), np.uint8)
    indices[:240, 320:] = 1
    halves = (indices[:, ::2] << 4 | indices[:, 1::2]).astype(np.uint8)
    table = struct.pack("<II", 0, 0x00FFFFFF)
    told = header(640, -480 if is_top_down else 480, bits, colours=2)
    path.write_bytes(
        told + table + lines(indices if bits == 8 else halves, is_top_down=is_top_down)
    )

    shown = opened(path)

    assert [shown(x, y)[0] for x, y in ((9, 9), (630, 9), (9, 470), (630, 470))] == [0, 255, 0, 0]


def test_sixteen_greys_of_four_bits_are_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    table = b"".join(bytes([value, value, value, 0]) for value in range(16))
    path.write_bytes(header(640, 480, 4) + table + b"\xf5" * (320 * 480))

    shown = opened(path)

    assert [shown(x, 100)[0] for x in range(4)] == [15, 5, 15, 5]
