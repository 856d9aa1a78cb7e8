"""Renditions of pictures that are much longer than high: high enough to see who is in them."""

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from libs.common.images.sizes import SIDES_PX, long_side
from services.media.renditions.rendition_worker import copy_for_guests, render
from services.recognition.engine.decode import decode
from services.recognition.engine.thumbnail import thumbnail

PIXELS = 210_000_000
PREVIEW = SIDES_PX["preview"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4032, 3024), 1600),
        ((4000, 2000), 1600),
        ((4001, 2000), 1600),
        ((16_382, 3628), 3612),
        ((3628, 16_382), 3612),
        ((6000, 1000), 4800),
        # From here on the pixels are bounded.
        ((30_000, 1000), 10_733),
        ((60_000, 10), 16_383),
        ((1, 1), 1600),
    ],
)
def test_a_panorama_is_as_high_as_a_picture_of_two_to_one(
    size: tuple[int, int], expected: int
) -> None:
    assert long_side(*size, PREVIEW) == expected


@pytest.mark.parametrize("aspect", [2.1, 4, 6, 8, 30, 60])
def test_it_has_at_most_three_times_the_pixels(aspect: float) -> None:
    longer = long_side(round(10_000 * aspect), 10_000, PREVIEW)

    assert longer * longer / aspect <= 3.01 * PREVIEW * PREVIEW / 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "HEIF", "TIFF"])
@pytest.mark.parametrize("is_upright", [False, True])
def test_its_preview_is_high_and_whole_and_not_enlarged(
    kind: str, is_upright: bool, tmp_path: Path
) -> None:
    path = tmp_path / "photo"
    picture = Image.linear_gradient("L").resize((4096, 907)).convert("RGB")
    (picture.transpose(Image.Transpose.ROTATE_90) if is_upright else picture).save(path, kind)

    shown = Image.open(io.BytesIO(render(str(path), PREVIEW, PIXELS)))
    small = Image.open(io.BytesIO(render(str(path), 400, PIXELS)))

    sizes = [(3613, 800), (903, 200)]
    expected = [(height, width) for width, height in sizes] if is_upright else sizes
    assert [shown.size, small.size] == expected


def test_one_that_is_no_larger_stays_as_large(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    Image.new("RGB", (1800, 300)).save(path, "PNG")

    assert Image.open(io.BytesIO(render(str(path), PREVIEW, PIXELS))).size == (1800, 300)


def test_the_analysis_makes_the_thumbnail_that_media_makes(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    Image.linear_gradient("L").resize((8191, 1814)).convert("RGB").save(path, "JPEG")

    own = thumbnail(decode(path))

    assert own is not None
    of_media = render(str(path), SIDES_PX["thumbnail"], PIXELS)
    assert Image.open(io.BytesIO(own)).size == Image.open(io.BytesIO(of_media)).size == (903, 200)


def test_a_guests_copy_that_is_a_picture_of_its_own_is_not_made_smaller(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    # Of TIFFs with JPEG in them no pieces are known.
    Image.new("RGB", (20_000, 100)).save(path, "TIFF", compression="jpeg")

    copy = copy_for_guests(str(path), PIXELS)

    assert copy.startswith(struct.pack(">H", 0xFFD8))
    assert Image.open(io.BytesIO(copy)).size == (20_000, 100)
