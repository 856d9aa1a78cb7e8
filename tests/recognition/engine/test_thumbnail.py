"""A photo's thumbnail from the analysis, and the one that media would make of its file."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
import pyvips
from PIL import Image, ImageCms

from services.media.renditions.rendition_worker import render
from services.recognition.engine.decode import LONG_SIDE, decode
from services.recognition.engine.thumbnail import SIDE_PX, thumbnail
from services.recognition.indexes.rekognition.image import LONG_SIDE as PAID_LONG_SIDE
from tests.support.faces import astronaut
from tests.support.image_formats import taken_files

pillow_heif.register_heif_opener()

KINDS = ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"]
PLAIN_KINDS = [*KINDS, "BMP"]
PIXELS = 100_000_000
#: Where neither size nor scaling is the point: HEIC and AVIF take seconds to encode what is larger.
SMALL = (900, 600)
SMALL_LONG_SIDE = 800


@cache
def scene(width: int = 2100, height: int = 1581) -> Image.Image:
    """A photo with edges, skin and shades, of sides that nothing divides."""
    return astronaut().resize((width, height), Image.Resampling.BICUBIC)


@cache
def scene_as(kind: str) -> bytes:
    """The same in a format, encoded once."""
    file = io.BytesIO()
    scene().save(file, kind)
    return file.getvalue()


def both(path: Path, long_side: int = LONG_SIDE) -> tuple[Image.Image | None, Image.Image]:
    """Return the analysis' own, and media's."""
    own = thumbnail(decode(path, long_side=long_side))
    of_media = Image.open(io.BytesIO(render(str(path), SIDE_PX, PIXELS)))
    return None if own is None else Image.open(io.BytesIO(own)), of_media


def values(image: Image.Image) -> npt.NDArray[np.float64]:
    return np.asarray(image.convert("RGB"), dtype=float)


def looks_the_same(one: Image.Image, other: Image.Image) -> bool:
    assert (one.format, one.mode, one.size) == (other.format, other.mode, other.size)
    difference = np.abs(values(one) - values(other))
    # WebP's own loss is 3 in the mean.
    return bool(difference.mean() < 4 and np.percentile(difference, 99) < 25)


def saved(path: Path, image: Image.Image, kind: str, **options: Any) -> Path:
    image.save(path, kind, **options)
    return path


def linear_profile() -> bytes:
    """The sRGB profile with the identity in place of the curve that its channels share."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    start = profile.index(b"para")
    identity = b"curv" + bytes(8)
    return profile[:start] + identity + profile[start + len(identity) :]


@pytest.mark.parametrize("kind", PLAIN_KINDS)
@pytest.mark.parametrize("long_side", [LONG_SIDE, PAID_LONG_SIDE])
def test_it_looks_as_media_s(tmp_path: Path, kind: str, long_side: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(scene_as(kind))
    own, of_media = both(path, long_side)
    assert own is not None
    assert looks_the_same(own, of_media)
    ideal = values(scene().resize(own.size, Image.Resampling.LANCZOS))
    loss, of_media_s = (np.abs(values(one) - ideal).mean() for one in (own, of_media))
    assert loss < 1.1 * of_media_s


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP", "HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_it_is_as_upright_as_media_s(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a", scene(*SMALL), kind, exif=exif.tobytes())
    own, of_media = both(path, SMALL_LONG_SIDE)
    assert own is not None
    assert looks_the_same(own, of_media)


@pytest.mark.parametrize("kind", KINDS)
def test_its_colours_are_as_media_s(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path / "a", scene(*SMALL), kind, icc_profile=linear_profile())
    own, of_media = both(path, SMALL_LONG_SIDE)
    assert own is not None
    assert looks_the_same(own, of_media)
    # The profile was applied: without it everything would be darker.
    assert values(own).mean() > values(scene(*SMALL)).mean() + 20


def test_a_broken_profile_does_as_little_harm_as_in_media(tmp_path: Path) -> None:
    path = saved(tmp_path / "a", scene(1800, 1200), "JPEG", icc_profile=b"no profile" * 40)
    own, of_media = both(path)
    assert own is None or looks_the_same(own, of_media)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("TIFF", "CMYK"),
        ("TIFF", "L"),
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("WEBP", "RGBA"),
        ("HEIF", "L"),
        ("HEIF", "RGBA"),
        ("AVIF", "RGBA"),
        ("GIF", "P"),
        ("BMP", "P"),
        ("BMP", "1"),
        ("BMP", "RGBA"),
    ],
)
def test_other_colours_look_as_media_s_or_are_left_to_it(
    tmp_path: Path, kind: str, mode: str
) -> None:
    picture = scene(*SMALL).copy()
    if mode.endswith("A"):
        picture = picture.convert("RGBA")
        picture.paste((0, 0, 0, 0), (0, 0, 300, 300))
    path = saved(tmp_path / "a", picture.convert(mode), kind)
    own, of_media = both(path, SMALL_LONG_SIDE)
    assert own is None or looks_the_same(own, of_media)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_more_bits_are_left_to_media(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    deep = np.asarray(scene(1800, 1200)).astype(np.uint16) * 257
    pyvips.Image.new_from_array(deep, interpretation="rgb16").write_to_file(str(path))
    assert both(path)[0] is None


@pytest.mark.parametrize("size", [(40, 30), (1280, 960), (1599, 1066), (5000, 3)])
def test_what_was_enlarged_for_analysis_is_left_to_media(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    assert both(saved(tmp_path / "a", scene().resize(size), "JPEG"))[0] is None


@pytest.mark.parametrize("size", [(1600, 1600), (6001, 4000), (9000, 1500), (1001, 7001)])
def test_it_has_the_size_of_media_s(tmp_path: Path, size: tuple[int, int]) -> None:
    own, of_media = both(saved(tmp_path / "a", Image.new("RGB", size, "teal"), "PNG"))
    assert own is not None
    assert own.size == of_media.size


@pytest.mark.parametrize("name", sorted(taken_files()))
def test_every_format_of_the_table_looks_as_media_s_or_is_left_to_it(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(taken_files()[name])
    own, of_media = both(path, long_side=64)  # their own size: none is enlarged
    assert own is None or looks_the_same(own, of_media)


def test_it_says_nothing_of_place_and_camera(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "camera"
    path = saved(tmp_path / "a", scene(), "JPEG", exif=exif.tobytes(), comment=b"secret")
    own, _ = both(path)
    assert own is not None
    assert not own.getexif()
    assert own.info.keys() <= {"loop", "background", "timestamp", "duration"}
