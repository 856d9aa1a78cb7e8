"""A photo without what is not for every guest: where it was taken, by which camera, by whom.

Without a new encoding: the coded pixels stay as they are, byte for byte.
"""

import io
import struct
from collections.abc import Callable
from typing import Final

from libs.common.images import raw_previews
from libs.common.images.formats import SNIFF_BYTES, ImageFormat, image_format
from services.media.stripping import bmp, chunks, heif, jpeg, tiff
from services.media.stripping.pieces import CannotStrip, Copy

_BY_FORMAT: Final[dict[ImageFormat, Callable[[bytes], Copy]]] = {
    ImageFormat.JPEG: jpeg.strip,
    ImageFormat.PNG: chunks.strip_png,
    ImageFormat.WEBP: chunks.strip_webp,
    ImageFormat.GIF: chunks.strip_gif,
    ImageFormat.BMP: bmp.strip,
    ImageFormat.TIFF: tiff.strip,
    ImageFormat.HEIC: heif.strip,
    ImageFormat.AVIF: heif.strip,
}


def strip(data: bytes) -> Copy:
    """Return the copy in pieces. Raises CannotStrip, whatever is wrong with the file."""
    found = image_format(data[:SNIFF_BYTES])
    if found is None:
        msg = "it is no picture"
        raise CannotStrip(msg)
    try:
        return _of_raw(data, found) if found.is_raw else _BY_FORMAT[found](data)
    except (struct.error, LookupError, ValueError, ArithmeticError) as error:
        msg = "it is damaged"
        raise CannotStrip(msg) from error


def _of_raw(data: bytes, kind: ImageFormat) -> Copy:
    """The JPEG in a raw file, turned as the file says."""
    preview, jpeg_file = raw_previews.of_file(io.BytesIO(data), kind)
    return jpeg.strip(jpeg_file, preview.exif).of_part(preview.start)
