import io
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from services.media.renditions.decoding import CannotDecode
from services.media.renditions.rendition_worker import render

MEGAPIXELS_100 = 100_000_000

pillow_heif.register_heif_opener()


def _gradient() -> Image.Image:
    """Red grows to the right, green to the bottom."""
    rows, columns = np.mgrid[0:600, 0:800]
    pixels = np.stack([columns / 799, rows / 599, np.full_like(rows, 0.5)], axis=-1)
    return Image.fromarray((pixels * 255).astype(np.uint8))


def _rendered(image: Image.Image, path: Path, kind: str, **options: Any) -> Image.Image:
    image.save(path, kind, **options)
    return Image.open(io.BytesIO(render(str(path), 400, MEGAPIXELS_100)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "AVIF", "HEIF"])
def test_every_accepted_kind_of_file_keeps_its_picture(tmp_path: Path, kind: str) -> None:
    small = _rendered(_gradient(), tmp_path / "a", kind)

    assert (small.format, small.size) == ("WEBP", (400, 300))
    expected = np.asarray(_gradient().resize((400, 300)), dtype=float)
    assert np.abs(np.asarray(small.convert("RGB"), dtype=float) - expected).mean() < 4


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("P", "PNG"),
        ("LA", "PNG"),
        ("1", "PNG"),
        ("L", "HEIF"),
    ],
)
def test_every_colour_mode_keeps_its_brightness(tmp_path: Path, mode: str, kind: str) -> None:
    small = _rendered(_gradient().convert(mode), tmp_path / "a", kind)

    def luminance(image: Image.Image) -> float:
        return float(np.asarray(image.convert("L"), dtype=float).mean())

    assert small.size == (400, 300)
    assert abs(luminance(small) - luminance(_gradient())) < 8


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    gray = np.asarray(_gradient().convert("L"))

    small = _rendered(Image.fromarray(gray.astype(np.uint16) * 257), tmp_path / "a", "PNG")

    assert abs(float(np.asarray(small.convert("L")).mean()) - float(gray.mean())) < 2


def test_transparency_stays(tmp_path: Path) -> None:
    image = Image.new("RGBA", (800, 600), (255, 0, 0, 0))

    small = _rendered(image, tmp_path / "a", "PNG")

    assert small.mode == "RGBA"
    assert small.getpixel((0, 0)) == (0, 0, 0, 0) or small.getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        b"%PDF-1.7\n",
        b"\xff\xd8\xff\xe0",
    ],
)
def test_what_is_no_photo_cannot_be_decoded(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)

    with pytest.raises(CannotDecode):
        render(str(path), 400, MEGAPIXELS_100)


@pytest.mark.parametrize("kind", ["JPEG", "HEIF"])
def test_a_colour_profile_is_applied_and_not_just_dropped(tmp_path: Path, kind: str) -> None:
    image = Image.new("RGB", (800, 600), (128, 128, 128))

    small = _rendered(image, tmp_path / "a", kind, icc_profile=_linear_profile())

    # Half of the light is 188 in sRGB.
    assert np.abs(np.asarray(small, dtype=float) - 188).max() < 4


def test_rows_that_are_padded_stay_straight(tmp_path: Path) -> None:
    odd = _gradient().resize((333, 251))

    small = _rendered(odd, tmp_path / "a", "HEIF")

    difference = np.abs(np.asarray(small, dtype=float) - np.asarray(odd, dtype=float))
    assert difference.mean() < 4


@pytest.mark.parametrize("kind", ["WEBP", "HEIF", "AVIF"])
def test_half_a_photo_cannot_be_decoded(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    _gradient().save(path, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(CannotDecode, match="damaged"):
        render(str(path), 400, MEGAPIXELS_100)


@pytest.mark.parametrize("kind", ["PNG", "HEIF"])
def test_a_photo_above_the_limit_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    _gradient().save(path, kind)

    assert render(str(path), 400, 800 * 600)
    with pytest.raises(CannotDecode, match="megapixels"):
        render(str(path), 400, 800 * 600 - 1)


def test_a_small_photo_is_not_enlarged(tmp_path: Path) -> None:
    small = _rendered(_gradient().resize((40, 30)), tmp_path / "a", "PNG")

    assert small.size == (40, 30)


def _linear_profile() -> bytes:
    """The sRGB profile with the identity in place of the curve that its channels share."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert profile.count(b"para") == 1
    start = profile.index(b"para")
    identity = b"curv" + bytes(8)
    return profile[:start] + identity + profile[start + len(identity) :]
