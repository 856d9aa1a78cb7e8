import io
import struct
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import pyvips
from PIL import Image

from libs.common.errors import PermanentError
from services.recognition.engine.decode import LONG_SIDE, decode
from services.recognition.engine.face_engine import UndecodablePhoto
from tests.support.faces import astronaut

pillow_heif.register_heif_opener()


def quadrants(width: int = 400, height: int = 200) -> Image.Image:
    """Red, green, blue, white by quarters: shows every turn and every colour mistake."""
    picture = Image.new("RGB", (width, height), "white")
    picture.paste("red", (0, 0, width // 2, height // 2))
    picture.paste((0, 255, 0), (width // 2, 0, width, height // 2))
    picture.paste("blue", (0, height // 2, width // 2, height))
    return picture


def corners(path: Path) -> list[tuple[int, ...]]:
    """The colours in the middle of the quarters, rounded to full or nothing."""
    pixels = decode(path).pixels
    rows, columns = pixels.shape[0] // 4, pixels.shape[1] // 4
    return [
        tuple(int(value) // 128 * 255 for value in pixels[row, column])
        for row in (rows, 3 * rows)
        for column in (columns, 3 * columns)
    ]


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
UPRIGHT = [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "HEIF", "AVIF"])
def test_every_kind_is_decoded_whatever_its_name_says(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo.txt"
    quadrants().save(path, format=kind)
    photo = decode(path)
    assert (photo.width, photo.height) == (400, 200)
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.shape == (400, 800, 3)  # small pictures are doubled
    assert corners(path) == UPRIGHT


@pytest.mark.parametrize("mode", ["CMYK", "L", "1"])
def test_other_colour_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "photo.tif"
    astronaut().convert(mode).save(path)
    photo = decode(path)
    expected = np.asarray(astronaut().convert(mode).convert("RGB")).mean((0, 1))
    assert photo.pixels.shape[2] == 3
    np.testing.assert_allclose(photo.pixels.mean((0, 1)), expected, atol=15)


def test_a_palette_picture_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    quadrants().convert("P", palette=Image.Palette.ADAPTIVE).save(path)
    assert corners(path) == UPRIGHT


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_become_8(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    deep = np.asarray(quadrants()).astype(np.uint16) * 257
    pyvips.Image.new_from_array(deep, interpretation="rgb16").write_to_file(str(path))
    assert corners(path) == UPRIGHT


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "HEIF", "AVIF"])
def test_transparent_parts_are_white(tmp_path: Path, kind: str) -> None:
    picture = quadrants().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 200, 100))
    path = tmp_path / "photo"
    picture.save(path, format=kind)
    assert corners(path) == [WHITE, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("kind", ["JPEG", "HEIF", "AVIF"])
@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (3, [WHITE, BLUE, GREEN, RED]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ],
)
def test_the_camera_s_orientation_is_applied(
    tmp_path: Path, kind: str, orientation: int, expected: list[tuple[int, ...]]
) -> None:
    path = tmp_path / "photo"
    exif = Image.Exif()
    exif[0x0112] = orientation
    quadrants().save(path, format=kind, exif=exif.tobytes())
    photo = decode(path)
    assert (photo.width, photo.height) == ((400, 200) if orientation == 3 else (200, 400))
    assert photo.pixels.shape[:2] == (2 * photo.height, 2 * photo.width)
    assert corners(path) == expected


def test_a_large_photo_is_scaled_to_the_size_for_analysis(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    quadrants(4000, 3000).save(path)
    photo = decode(path)
    assert (photo.width, photo.height) == (4000, 3000)
    assert photo.pixels.shape == (1200, LONG_SIDE, 3)


@pytest.mark.parametrize("size", [(1, 1), (3, 5000), (5000, 3)])
def test_extreme_shapes_are_decoded(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", size).save(path)
    photo = decode(path)
    assert (photo.width, photo.height) == size
    assert min(photo.pixels.shape) >= 1


def test_a_broken_colour_profile_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    quadrants().save(path, icc_profile=b"no profile" * 40)
    assert corners(path) == UPRIGHT


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.touch()
    with pytest.raises(UndecodablePhoto, match="empty"):
        decode(path)


@pytest.mark.parametrize(
    "content",
    [b"hello", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", b"%PDF-1.7\n"],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(UndecodablePhoto, match="not a JPEG"):
        decode(path)


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        *((kind, kept) for kind in ("WEBP", "BMP", "HEIF", "AVIF") for kept in (0.02, 0.6, 0.95)),
        # What there is of others is shown; here it is nothing.
        ("JPEG", 0.01),
        ("PNG", 0.0001),
        ("TIFF", 0.0001),
    ],
)
def test_a_truncated_file_is_refused_and_nothing_is_logged_of_it(
    tmp_path: Path, kind: str, kept: float, caplog: pytest.LogCaptureFixture
) -> None:
    content = io.BytesIO()
    astronaut().save(content, format=kind)
    data = content.getvalue()
    path = tmp_path / "photo"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(UndecodablePhoto, match="damaged or incomplete"):
        decode(path)
    assert not caplog.records


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(content, format="PNG")
    path = tmp_path / "photo.png"
    # Without its pixels: decoding would find the file damaged.
    path.write_bytes(content.getvalue()[:100])
    with pytest.raises(UndecodablePhoto, match="more than 210 million pixels"):
        decode(path)


@pytest.mark.parametrize("kind", ["JPEG", "HEIF", "AVIF"])
def test_the_pixel_limit_can_be_set(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo"
    quadrants(2000, 1000).save(path, format=kind)
    assert decode(path, pixel_limit=2_000_000).width == 2000
    with pytest.raises(UndecodablePhoto, match="more than 2 million pixels"):
        decode(path, pixel_limit=1_999_999)


def test_a_file_that_is_not_there_is_not_the_photo_s_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        decode(tmp_path / "nothing.jpg")
    assert issubclass(UndecodablePhoto, PermanentError)


def lying(kind: str) -> bytes:
    """A picture of 1600 x 1200 whose container says that it has 64 x 48."""
    file = io.BytesIO()
    Image.new("RGB", (1600, 1200), "red").save(file, kind)
    content = file.getvalue()
    if kind == "HEIF":
        told = struct.pack(">II", 1600, 1200)
        assert told in content
        return content.replace(told, struct.pack(">II", 64, 48))
    canvas = (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + canvas + content[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


@pytest.mark.parametrize("kind", ["HEIF", "WEBP"])
def test_a_picture_larger_than_its_container_says_is_damaged(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo"
    path.write_bytes(lying(kind))

    with pytest.raises(UndecodablePhoto, match="damaged"):
        decode(path, pixel_limit=64 * 48)
