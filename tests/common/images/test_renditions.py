"""Which pictures are brought to sRGB, and which are in it."""

import io

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from libs.common.images.renditions import COLOURS, fitted, of_pixels, to_srgb

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def opened(kind: str, mode: str, **options: object) -> pyvips.Image:
    file = io.BytesIO()
    Image.effect_noise((64, 48), 60).convert(mode).save(file, kind, **options)
    return pyvips.Image.new_from_buffer(file.getvalue(), "")


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "I;16"), ("PNG", "LA"), ("GIF", "P")],
)
def test_what_has_no_profile_is_in_srgb(kind: str, mode: str) -> None:
    assert to_srgb(opened(kind, mode)) == {}


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "CMYK"), ("TIFF", "CMYK")])
def test_inks_are_brought_to_it(kind: str, mode: str) -> None:
    assert to_srgb(opened(kind, mode)) == COLOURS


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_has_a_profile_is_brought_to_it(mode: str) -> None:
    assert to_srgb(opened("JPEG", mode, icc_profile=SRGB)) == COLOURS


def test_what_is_in_srgb_and_small_enough_keeps_every_value() -> None:
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 256, (48, 64, 3), np.uint8)
    image = pyvips.Image.new_from_array(pixels, interpretation="srgb")

    np.testing.assert_array_equal(fitted(image, 400).numpy(), pixels)
    same = of_pixels(pixels.tobytes(), (64, 48), fitting=(64, 48), side_px=400, profile=None)
    np.testing.assert_array_equal(same.numpy(), pixels)
