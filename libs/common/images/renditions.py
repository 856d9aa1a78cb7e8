"""How a picture looks that was made smaller: one code for whoever has decoded it.

It imports libvips, so that only what decodes pictures imports it.
"""

from typing import Final

import pyvips

from libs.common.images.sizes import long_side

WEBP_QUALITY: Final = 80
#: Its default of 4 makes 8 % fewer bytes for twice the time (docs/design/bytes.md).
WEBP_EFFORT: Final = 2
#: What is made of a picture that is not in sRGB: with its colour profile applied.
COLOURS: Final = {"export_profile": "srgb"}
#: What is in sRGB where no profile says otherwise, by libvips' names.
_IN_SRGB: Final = frozenset({"srgb", "b-w", "rgb16", "grey16"})
#: Where libvips keeps a profile.
ICC: Final = "icc-profile-data"
#: In a profile, of what it is one.
_SPACE: Final = slice(16, 20)
RGB: Final = 3  # bands
_JPEG_SHRINKS: Final = (8, 4, 2)  # what the decoder can do on the way, nearly for nothing


def as_webp(image: pyvips.Image) -> bytes:
    """Encode a rendition, without metadata: a place and a camera's number are not for guests."""
    encoded: bytes = image.colourspace("srgb").webpsave_buffer(
        Q=WEBP_QUALITY, effort=WEBP_EFFORT, keep="none"
    )
    return encoded


def to_srgb(image: pyvips.Image) -> dict[str, str]:
    """Return libvips' option that brings the picture to sRGB, none where it is in it.

    Without a profile libvips would have Little CMS take sRGB to sRGB: 580 of a preview's 750 ms.
    """
    is_plain = image.interpretation in _IN_SRGB and not image.get_typeof(ICC)
    return {} if is_plain else COLOURS


def fitted(image: pyvips.Image, side_px: int) -> pyvips.Image:
    """Return a decoded picture upright and in sRGB; a smaller one is not enlarged."""
    side = long_side(image.width, image.height, side_px)
    return image.thumbnail_image(side, height=side, size="down", **to_srgb(image))


def in_rgb(image: pyvips.Image) -> pyvips.Image:
    """Return the picture in sRGB, on white where one sees through it."""
    image = image.colourspace("srgb")
    return image.flatten(background=255) if image.hasalpha() else image


def profiled(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """Return the picture with this ICC profile, not applied yet."""
    if image.bands < RGB and profile[_SPACE] == b"RGB ":
        image = image.colourspace("rgb16" if image.format == "ushort" else "srgb")
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, ICC, profile)
    return image


def jpeg_shrink(size_px: int, target_px: int) -> dict[str, int]:
    """Return the strongest shrink-on-load that leaves at least the target, as libvips' option."""
    return next(({"shrink": by} for by in _JPEG_SHRINKS if size_px // by >= target_px), {})


def turned(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Return the picture with this of EXIF's orientations, not applied yet."""
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image


def of_pixels(
    pixels: bytes,
    size: tuple[int, int],
    *,
    fitting: tuple[int, int],
    side_px: int,
    profile: bytes | None,
) -> pyvips.Image:
    """Return a picture in sRGB of RGB pixels that have been made smaller, and are upright.

    `fitting` is the whole picture's size, from whose sides the rendition's are rounded, and
    `profile` its ICC profile, not applied yet.
    """
    image = pyvips.Image.new_from_memory(pixels, *size, 3, "uchar").copy(interpretation="srgb")
    if profile is not None:
        image = profiled(image, profile)
    scale = min(1.0, long_side(*fitting, side_px) / max(fitting))
    width, height = (max(1, round(side * scale)) for side in fitting)
    return image.thumbnail_image(width, height=height, size="force", **to_srgb(image))
