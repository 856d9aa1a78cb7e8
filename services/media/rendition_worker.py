"""What a worker process does: decode untrusted bytes, make them smaller, encode as WebP.

Imported by every worker, so it imports image libraries and nothing else of the service.
"""

from collections.abc import Callable

import pyvips

from services.media.heic import HeicFile, is_heic

WEBP_QUALITY = 80
#: 229 ms for both sizes of a 12 MP photo; libwebp's default of 4 costs a third more.
WEBP_EFFORT = 2

# Loaders that were never hardened against hostile files (SVG, PDF, ImageMagick) stay off,
# whoever calls.
pyvips.block_untrusted_set(True)  # noqa: FBT003 - the library's signature


class CannotDecode(Exception):
    """These bytes are no picture that we show; the message says why."""


def prepared() -> Callable[[str, int, int], bytes]:
    """Return `render` in a process that is made ready for it: one picture on one core."""
    pyvips.concurrency_set(1)
    pyvips.cache_set_max(0)
    return render


def render(path: str, longest_side_px: int, max_pixels: int) -> bytes:
    """Return the picture upright, in sRGB, without metadata. Raises CannotDecode."""
    try:
        small = _shrunk(path, longest_side_px, max_pixels)
        encoded: bytes = small.colourspace("srgb").webpsave_buffer(
            Q=WEBP_QUALITY,
            effort=WEBP_EFFORT,
            keep="none",  # a place and a camera's serial number are not for every guest
        )
    except (pyvips.Error, OSError, ValueError) as error:
        raise CannotDecode("it is damaged, or of a kind that cannot be shown") from error
    return encoded


def _shrunk(path: str, longest_side_px: int, max_pixels: int) -> pyvips.Image:
    size = {"height": longest_side_px, "size": "down", "export_profile": "srgb"}
    if is_heic(path):
        heic = HeicFile(path)
        _check_pixels(heic.width * heic.height, max_pixels)
        return heic.decode().thumbnail_image(longest_side_px, **size)
    # Reads the header only. libvips has no limit of its own.
    header = pyvips.Image.new_from_file(path, access="sequential")
    _check_pixels(header.width * header.height, max_pixels)
    # "error" would let files through that are corrupt in the middle.
    return pyvips.Image.thumbnail(path, longest_side_px, fail_on="warning", **size)


def _check_pixels(pixels: int, max_pixels: int) -> None:
    if pixels > max_pixels:
        raise CannotDecode(f"it has more than {max_pixels / 1e6:.0f} megapixels")
