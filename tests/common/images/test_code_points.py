"""Colours that code points name, as guests see them and as faces are looked for in them."""

import io
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from PIL import Image, ImageCms

from libs.common.images.code_points import CodePoints, of_png
from libs.common.images.colour_profiles import icc_profile
from services.media.renditions.rendition_worker import render
from services.recognition.engine.decode import decode
from services.recognition.engine.thumbnail import thumbnail
from tests.support.beside import CASES

pillow_heif.register_heif_opener()

#: Skin, and what lies beyond it in each direction, in sRGB.
COLOURS = [(200, 30, 30), (30, 160, 40), (40, 50, 190), (220, 200, 40), (198, 134, 103)]
Values = npt.NDArray[np.float64]


def srgb_light(values: Values) -> Values:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb(light: Values) -> Values:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def pq(light: Values) -> Values:
    """BT.2100, table 4; white is 203 cd/m²."""
    power = (light * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(light: Values) -> Values:
    """BT.2100, table 5, of a display of 1,000 cd/m² whose system gamma is 1.2."""
    scene = (light * 0.203) ** (1 / 1.2)
    beyond = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), beyond)


#: Of linear BT.709 (Report ITU-R BT.2407 and its like for P3), computed elsewhere.
TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
SAID: dict[str, tuple[CodePoints, Values, Callable[[Values], Values]]] = {
    "Display P3": (CodePoints(12, 13), TO_P3, srgb),
    "BT.2020": (CodePoints(9, 14), TO_BT2020, srgb),
    "PQ": (CodePoints(9, 16), TO_BT2020, pq),
    "HLG": (CodePoints(9, 18), TO_BT2020, hlg),
    "PQ in P3": (CodePoints(12, 16), TO_P3, pq),
    "sRGB": (CodePoints(1, 13), np.eye(3), srgb),
}


def stripes(name: str) -> Image.Image:
    """The colours, each a stripe, as a file that says `name` has them."""
    _, matrix, encode = SAID[name]
    light = srgb_light(np.array(COLOURS) / 255) @ matrix.T
    row = np.round(encode(light) * 255).astype(np.uint8)
    return Image.fromarray(np.repeat(np.tile(row, (300, 1, 1)), 100, axis=1))


def heic(image: Image.Image, points: CodePoints) -> bytes:
    file = io.BytesIO()
    image.save(
        file,
        "HEIF",
        quality=95,
        color_primaries=points.primaries,
        transfer_characteristics=points.transfer,
    )
    return file.getvalue()


def avif(image: Image.Image, points: CodePoints) -> bytes:
    file = io.BytesIO()
    image.save(file, "AVIF", quality=100, subsampling="4:4:4")
    content = file.getvalue()
    told = b"colrnclx" + struct.pack(">HH", 1, 13)
    assert content.count(told) == 1
    return content.replace(
        told, b"colrnclx" + struct.pack(">HH", points.primaries, points.transfer)
    )


def png(image: Image.Image, points: CodePoints, *, before: bytes = b"") -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    content = file.getvalue()
    told = bytes([points.primaries, points.transfer, 0, points.is_full_range])
    at = 8 + 25  # behind IHDR
    return content[:at] + before + chunk(b"cICP", told) + content[at:]


def chunk(kind: bytes, content: bytes) -> bytes:
    told = kind + content
    return struct.pack(">I", len(content)) + told + struct.pack(">I", zlib.crc32(told))


WRITERS = {"HEIC": heic, "AVIF": avif, "PNG": png}


def shown(path: Path) -> dict[str, Values]:
    """The picture as guests and as the search for faces see it."""
    photo = decode(path)
    own = thumbnail(photo)
    of_media = render(str(path), 400, 100_000_000)
    return {
        "analysis": np.asarray(photo.pixels, dtype=float),
        "its thumbnail": pixels(own or of_media),
        "media's": pixels(of_media),
    }


def pixels(file: bytes) -> Values:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), dtype=float)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", SAID)
def test_colours_are_those_that_the_code_points_mean(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(WRITERS[kind](stripes(name), SAID[name][0]))

    for where, picture in shown(path).items():
        height, width = picture.shape[:2]
        for number, expected in enumerate(COLOURS):
            seen = picture[height // 2, width * (2 * number + 1) // 10]
            # In light: of a strong green the red is the difference of large numbers. 8 bits of PQ
            # are 3 % apart, and white has room for what is brighter. Unseen, they are 0.1 off.
            off = srgb_light(seen / 255) - srgb_light(np.array(expected) / 255)
            assert np.abs(off).max() < 0.085, (where, expected, seen)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", ["PQ", "HLG"])
def test_light_beyond_white_is_told_apart(tmp_path: Path, kind: str, name: str) -> None:
    points, _, encode = SAID[name]
    grays = np.round(encode(np.array([0.5, 1.0, 2.0, 4.0])) * 255).astype(np.uint8)
    row = np.repeat(np.repeat(grays, 100)[None, :, None], 3, axis=2)
    path = tmp_path / "a"
    path.write_bytes(WRITERS[kind](Image.fromarray(np.repeat(row, 300, axis=0)), points))

    for picture in shown(path).values():
        height, width = picture.shape[:2]
        seen = [picture[height // 2, width * at // 8].mean() for at in (1, 3, 5, 7)]
        assert all(darker + 2 < brighter for darker, brighter in pairwise(seen)), seen
        assert 215 < seen[1] < 240
        assert seen[3] > 245


def test_a_profile_of_its_own_counts_more_in_heic(tmp_path: Path) -> None:
    profile = icc_profile(SAID["Display P3"][0])
    assert profile is not None
    file = io.BytesIO()
    stripes("Display P3").save(
        file, "HEIF", quality=95, icc_profile=profile, transfer_characteristics=16
    )
    path = tmp_path / "a"
    path.write_bytes(file.getvalue())

    picture = shown(path)["media's"]
    assert np.abs(picture[100, 40] - COLOURS[0]).max() < 12


def test_code_points_count_more_in_png(tmp_path: Path) -> None:
    profile = icc_profile(SAID["PQ"][0])
    assert profile is not None
    packed = chunk(b"iCCP", b"a\0\0" + zlib.compress(profile))
    points = SAID["Display P3"][0]
    path = tmp_path / "a"
    path.write_bytes(png(stripes("Display P3"), points, before=packed))

    for picture in shown(path).values():
        height, width = picture.shape[:2]
        assert np.abs(picture[height // 2, width // 10] - COLOURS[0]).max() < 12


@pytest.mark.parametrize("mode", ["L", "I;16", "RGBA"])
def test_other_kinds_of_pixels_have_code_points_too(tmp_path: Path, mode: str) -> None:
    gray = float(pq(np.array(0.25)))
    if mode == "I;16":
        image = Image.fromarray(np.full((300, 400), round(gray * 65_535), np.uint16))
    else:
        values = np.full((300, 400), round(gray * 255), np.uint8)
        image = Image.fromarray(values).convert(mode)
    path = tmp_path / "a"
    path.write_bytes(png(image, SAID["PQ"][0]))

    expected = float(srgb(np.array(0.25))) * 255
    for picture in shown(path).values():
        assert np.abs(picture.mean((0, 1)) - expected).max() < 8


def test_values_of_a_narrow_range_are_spread() -> None:
    white = Image.new("RGB", (8, 8), (235, 235, 235))
    black = Image.new("RGB", (8, 8), (16, 16, 16))
    for image, expected in ((white, 255), (black, 0)):
        content = png(image, CodePoints(1, 13, is_full_range=False))
        points = of_png(io.BytesIO(content))
        assert points == CodePoints(1, 13, is_full_range=False)
        profile = icc_profile(points)
        assert profile is not None
        srgb_image = converted(image, profile)
        assert np.abs(np.asarray(srgb_image, dtype=float) - expected).max() < 2


def converted(image: Image.Image, profile: bytes) -> Image.Image:
    done = ImageCms.profileToProfile(image, io.BytesIO(profile), ImageCms.createProfile("sRGB"))
    assert done is not None
    return done


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + chunk(b"cICP", b"\x09"), bytes(5_000_000)],
)
def test_a_png_that_tells_nothing_has_none(content: bytes) -> None:
    assert of_png(io.BytesIO(content)) is None


@pytest.mark.parametrize("points", [CodePoints(1, 13), CodePoints(2, 2), CodePoints(200, 99), None])
def test_what_is_srgb_or_unknown_has_no_profile(points: CodePoints | None) -> None:
    assert icc_profile(points) is None


@pytest.mark.skipif(not CASES.is_dir(), reason="the small files that go wrong are not here")
@pytest.mark.parametrize(("name", "allowed"), [("nclx_p3.heic", 20), ("cicp_pq.png", 30)])
def test_files_of_others_have_their_colours(name: str, allowed: int) -> None:
    for picture in shown(CASES / name).values():
        height, width = picture.shape[:2]
        at = [(y, x) for y in (8, height - 8) for x in (8, width - 8)]
        for (y, x), expected in zip(at, COLOURS, strict=False):
            assert np.abs(picture[y, x] - expected).max() < allowed
