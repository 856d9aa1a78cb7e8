"""Which native decoders may meet a stranger's bytes: one for each format of our table.

HEVC is decoded by pillow-heif's libheif, AV1 by Pillow's libavif, BMP by Pillow itself, all else by
libvips, whose other loaders (its own libheif with decoders that nobody asked for, SVG, raw pixels,
…) are shut.
"""

from typing import Final, Protocol

from libs.common.images import complaints
from libs.common.images.formats import ImageFormat

#: libvips' loaders by format, by the name that its callers use.
VIPS_LOADERS: Final = {
    ImageFormat.JPEG: "jpegload",
    ImageFormat.PNG: "pngload",
    ImageFormat.WEBP: "webpload",
    ImageFormat.TIFF: "tiffload",
    ImageFormat.GIF: "gifload",
}
#: The same by the names of their classes.
_OPEN: Final = (
    "VipsForeignLoadJpeg",
    "VipsForeignLoadPng",
    "VipsForeignLoadWebp",
    "VipsForeignLoadTiff",
    "VipsForeignLoadNsgif",
)


class Vips(Protocol):
    """pyvips, given by who calls: not every service that knows formats has it."""

    def block_untrusted_set(self, state: bool, /) -> None:  # noqa: FBT001 - the library's
        """Shut or open what was never hardened against hostile files."""

    def cache_set_max(self, mx: int, /) -> None:
        """Keep so many results of operations."""

    def operation_block_set(self, name: str, state: bool, /) -> None:  # noqa: FBT001
        """Shut or open a class of operations with all below it."""


def open_only_ours(vips: Vips) -> None:
    """Shut all loaders in this process but those of our table, for whoever calls."""
    vips.block_untrusted_set(True)  # noqa: FBT003
    vips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003
    for name in _OPEN:
        vips.operation_block_set(name, False)  # noqa: FBT003
    # It caches by file name, and would answer with what a temporary file had before.
    vips.cache_set_max(0)
    complaints.listen()
