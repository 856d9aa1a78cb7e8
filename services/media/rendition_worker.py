"""What a worker process does: decode untrusted bytes, make them smaller, encode as WebP.

Imported by every worker, so it imports libvips and nothing of the service.
"""

import os
import signal

import pyvips

WEBP_QUALITY = 80
#: 229 ms for both sizes of a 12 MP photo; libwebp's default of 4 costs a third more.
WEBP_EFFORT = 2

# Loaders that were never hardened against hostile files (SVG, PDF, ImageMagick) stay off,
# whoever calls.
pyvips.block_untrusted_set(True)  # noqa: FBT003 - the library's signature


class CannotDecode(Exception):
    """These bytes are no picture that we show; the message says why."""


def prepare(niceness: int) -> None:
    """Run once in each worker."""
    # Ctrl-C goes to the whole process group; the parent decides when workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Recognition makes guests wait longer than a preview does: it goes first.
    os.nice(niceness)
    pyvips.concurrency_set(1)
    pyvips.cache_set_max(0)


def render(path: str, longest_side_px: int, max_pixels: int) -> bytes:
    """Return the picture upright, in sRGB, without metadata. Raises CannotDecode."""
    try:
        # Reads the header only. libvips has no limit of its own.
        header = pyvips.Image.new_from_file(path, access="sequential")
        if header.width * header.height > max_pixels:
            raise CannotDecode(f"it has more than {max_pixels / 1e6:.0f} megapixels")
        small = pyvips.Image.thumbnail(
            path,
            longest_side_px,
            height=longest_side_px,
            size="down",
            # "error" would let files through that are corrupt in the middle.
            fail_on="warning",
            export_profile="srgb",
        )
        encoded: bytes = small.colourspace("srgb").webpsave_buffer(
            Q=WEBP_QUALITY,
            effort=WEBP_EFFORT,
            keep="none",  # a place and a camera's serial number are not for every guest
        )
    except pyvips.Error as error:
        raise CannotDecode("it is damaged, or of a kind that cannot be shown") from error
    return encoded
