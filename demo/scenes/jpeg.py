"""Pixels into JPEG files, as cameras write them."""

from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

QUALITY = 90

# What turns upright pixels into the stored ones, by EXIF orientation.
_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def write_jpeg(
    pixels: NDArray[np.uint8],
    target: Path | BinaryIO,
    *,
    orientation: int = 1,
    taken_at: datetime | None = None,
    quality: int = QUALITY,
) -> None:
    """Write upright RGB pixels; a viewer that respects the orientation shows them upright."""
    image = Image.fromarray(pixels)
    if orientation in _STORED:
        image = image.transpose(_STORED[orientation])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    if taken_at is not None:
        stamp = taken_at.strftime("%Y:%m:%d %H:%M:%S")
        exif[ExifTags.Base.DateTime] = stamp
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = stamp
    image.save(target, format="JPEG", quality=quality, exif=exif)


def jpeg_bytes(pixels: NDArray[np.uint8], *, quality: int = QUALITY) -> bytes:
    """The JPEG of upright RGB pixels, without a date."""
    buffer = BytesIO()
    write_jpeg(pixels, buffer, quality=quality)
    return buffer.getvalue()
