"""Raw files are shown by the JPEG in them, and no file makes its search long or fail otherwise."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import IFD, Base

from libs.common.images.formats import SNIFF_BYTES, ImageFormat, sniff
from libs.common.images.raw_previews import find, of_file
from libs.common.images.reading.steps import MAX_STEPS, Steps
from services.ingest.images.header import UnusableImage, read_header
from services.media.renditions.decoding import CannotDecode
from services.media.renditions.rendition_worker import render
from services.media.stripping.pieces import Kept, Put
from services.media.stripping.strip import strip
from services.recognition.engine.decode import decode
from services.recognition.engine.face_engine import UndecodablePhoto
from services.recognition.engine.thumbnail import thumbnail
from tests.support.raw_files import BLUE, CLOCK, GREEN, RAWS, RED, SIZE, YELLOW, orf, picture

MAX_PIXELS = 100_000_000
#: Turned to the right by the raw file: what was at the bottom left is at the top left.
UPRIGHT = (BLUE, RED, YELLOW, GREEN)
every_kind = pytest.mark.parametrize("name", RAWS)


def quarters(pixels: np.ndarray) -> list[np.ndarray]:
    height, width = pixels.shape[:2]
    return [
        pixels[y, x] for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)
    ]


def looks_upright(pixels: np.ndarray) -> bool:
    seen = np.array(quarters(pixels), dtype=float)
    return bool(np.abs(seen - np.array(UPRIGHT)).max() < 12)


@every_kind
def test_it_is_told_by_its_first_bytes(name: str) -> None:
    found = sniff(RAWS[name](SIZE)[:SNIFF_BYTES])

    assert isinstance(found, ImageFormat)
    assert found.is_raw
    assert found.extension == name.partition(".")[2]


@every_kind
def test_its_size_and_clock_are_those_of_the_shown_picture(name: str) -> None:
    header = read_header(RAWS[name](SIZE), max_pixels=MAX_PIXELS)

    assert (header.width, header.height) == (SIZE[1], SIZE[0])
    assert header.taken is not None
    assert f"{header.taken.moment:%Y:%m:%d %H:%M:%S}" == CLOCK


@every_kind
def test_it_is_analysed_and_shown_upright(tmp_path: Path, name: str) -> None:
    path = tmp_path / "photo"
    path.write_bytes(RAWS[name]((2000, 1500)))

    photo = decode(path)
    own = thumbnail(photo)

    assert (photo.width, photo.height) == (1500, 2000)
    assert looks_upright(photo.pixels)
    assert own is not None
    for shown, size in (
        (own, (300, 400)),
        (render(str(path), 400, MAX_PIXELS), (300, 400)),
        (render(str(path), 1600, MAX_PIXELS), (1200, 1600)),
    ):
        with Image.open(io.BytesIO(shown)) as image:
            assert image.size == size
            assert looks_upright(np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("name", ["canon.cr2", "canon.cr3", "fuji.raf"])
def test_one_that_breaks_off_in_its_jpeg_shows_what_there_is(tmp_path: Path, name: str) -> None:
    data = RAWS[name]((2000, 1500))
    kind = sniff(data[:SNIFF_BYTES])
    assert isinstance(kind, ImageFormat)
    found, _ = of_file(io.BytesIO(data), kind)
    path = tmp_path / "photo"
    path.write_bytes(data[: found.start + found.length * 7 // 10])

    photo = decode(path)

    assert (photo.width, photo.height) == (1500, 2000)
    assert photo.damage is not None
    assert 0.1 < photo.damage.missing < 0.5
    with Image.open(io.BytesIO(render(str(path), 400, MAX_PIXELS))) as image:
        assert image.size == (300, 400)
        shown = np.asarray(image.convert("RGB"))
    # What was stored last is at the left.
    for pixels in (photo.pixels, shown):
        height, width = pixels.shape[:2]
        assert np.abs(pixels[height // 2, 5].astype(float) - 128).max() < 12
        for y, colour in ((height // 4, RED), (3 * height // 4, GREEN)):
            assert np.abs(pixels[y, 3 * width // 4] - np.array(colour, float)).max() < 12


@every_kind
def test_guests_get_the_jpeg_without_what_it_tells(name: str) -> None:
    data = RAWS[name](SIZE)

    copy = strip(data)

    content = b"".join(
        data[piece.start : piece.end] if isinstance(piece, Kept) else piece.data
        for piece in copy.pieces
        if isinstance(piece, Kept | Put)
    )
    assert copy.is_jpeg
    assert len(content) == copy.size_bytes
    for maker in (b"Canon", b"NIKON", b"SONY", b"Apple", b"OLYMPUS", b"FUJI", b"Panasonic"):
        assert maker not in content
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "JPEG"
        assert image.getexif()[Base.Orientation] == 6
        assert image.getexif().get_ifd(IFD.Exif)[Base.DateTimeOriginal] == CLOCK
        difference = np.abs(np.asarray(image, dtype=float) - np.asarray(picture(), dtype=float))
        assert difference.mean() < 3


def test_olympus_names_itself_anew() -> None:
    data = orf(begins=b"OM SYSTEM\0\0\0II\3\0")

    found, _ = of_file(io.BytesIO(data), ImageFormat.ORF)

    assert (found.width, found.height) == SIZE


@every_kind
def test_one_with_a_small_jpeg_alone_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(UnusableImage, match="no JPEG of at least 1,000 pixels") as caught:
        read_header(RAWS[name]((990, 600)), max_pixels=MAX_PIXELS)

    assert "Export the photo as JPEG." in str(caught.value)


@every_kind
def test_pixels_are_limited_before_they_are_decoded(tmp_path: Path, name: str) -> None:
    path = tmp_path / "photo"
    path.write_bytes(RAWS[name](SIZE))
    allowed = SIZE[0] * SIZE[1] - 1

    with pytest.raises(UnusableImage, match="1200 x 900 pixels"):
        read_header(path.read_bytes(), max_pixels=allowed)
    with pytest.raises(CannotDecode, match="megapixels"):
        render(str(path), 400, allowed)
    with pytest.raises(UndecodablePhoto, match="million pixels"):
        decode(path, pixel_limit=allowed)


@every_kind
def test_one_that_is_cut_off_before_its_picture_is_refused(name: str) -> None:
    data = RAWS[name](SIZE)
    found, _ = of_file(io.BytesIO(data), read_header(data, max_pixels=MAX_PIXELS).format)

    with pytest.raises(UnusableImage, match=r"damaged or cut off|no JPEG of at least"):
        read_header(data[: found.start + 100], max_pixels=MAX_PIXELS)


def asked(steps: Steps[object], data: bytes) -> tuple[int, int]:
    """How often it asks for bytes, and for how many in all that the file has."""
    times = total = 0
    try:
        wanted = next(steps)
        while True:
            times += 1
            start = wanted.within(len(data))
            piece = data[start : start + wanted.length]
            total += len(piece)
            wanted = steps.send(piece)
    except (StopIteration, ValueError, LookupError, struct.error):
        return times, total


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(RAWS)),
    st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), min_size=1, max_size=12),
    st.integers(1, 40_000),
)
def test_a_damaged_one_is_not_searched_for_long(
    name: str, changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(_small(name))
    kind = sniff(bytes(data[:SNIFF_BYTES]))
    assert isinstance(kind, ImageFormat)
    for at, value in changes:
        data[min(at, len(data) - 1)] = value
    times, total = asked(find(kind), bytes(data[:length]))

    assert times < MAX_STEPS
    assert total < 40 * len(data)


def _small(name: str, made: dict[str, bytes] = {}) -> bytes:  # noqa: B006 - made once
    if name not in made:
        made[name] = RAWS[name](SIZE)
    return made[name]


def _directory(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    told = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + told + struct.pack("<I", following)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "refers to itself": lambda: _directory((330, 4, 1, 8), (50706, 1, 4, 1), following=8),
    "has a million directories": lambda: _directory((330, 4, 250, 8), following=8) * 1000,
    "has a JPEG of four gigabytes": lambda: _directory(
        (513, 4, 1, 2), (514, 4, 1, 0xFFFFFFFF), (50706, 1, 4, 1)
    ),
    "is of JPEGs": lambda: _directory((513, 4, 1, 0), (514, 4, 1, 99)) + b"\xff\xd8\xff" * 9999,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", [ImageFormat.DNG, ImageFormat.ORF, ImageFormat.RW2])
def test_a_crafted_one_is_not_searched_for_long(name: str, kind: ImageFormat) -> None:
    data = b"II*\0\x08\0\0\0" + HOSTILE[name]()

    times, total = asked(find(kind), data)

    assert times < MAX_STEPS
    assert total < 2_000_000


class Recording(io.BytesIO):
    """A file that notes the most that was asked of it at once."""

    most = 0

    def read(self, size: int | None = -1) -> bytes:
        self.most = max(self.most, size or 0)
        return super().read(size)


def test_no_more_is_asked_for_than_there_is() -> None:
    """A file says how long its picture is: memory for all that it may say is not there."""
    whole = RAWS["phone.dng"](SIZE)
    preview, jpeg = of_file(io.BytesIO(whole), ImageFormat.DNG)
    length = struct.pack("<I", preview.length)
    assert whole.count(length) == 1
    file = Recording(whole.replace(length, b"\xff\xff\xff\x7f"))

    _, read = of_file(file, ImageFormat.DNG)

    assert read.startswith(jpeg)
    assert file.most <= len(whole)
