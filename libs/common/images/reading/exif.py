"""EXIF's few values that anything here asks for, as a small block of its own.

Pillow copies every value of a block, and thousands of tags may say that the same megabyte is
theirs: of a file of 1 MB it made 285.
"""

import struct
from io import BytesIO
from typing import Final

from PIL.Image import Exif

from libs.common.images.reading import tiff
from libs.common.images.reading.steps import Steps, read_from

_HEAD: Final = b"Exif\0\0"
_MARKS: Final = (b"II*\0", b"MM\0*")


def loaded(block: bytes) -> Exif:
    """Return what is asked for of a block, nothing where it cannot be read; never raises."""
    exif = Exif()
    try:
        exif.load(reduced(block))
    except Exception:  # noqa: BLE001 - a damaged block says nothing of the picture
        return Exif()
    return exif


def reduced(block: bytes) -> bytes:
    """Return what is asked for of a block, empty where it cannot be read; never raises."""
    block = block.removeprefix(_HEAD)
    if not block.startswith(_MARKS):
        return b""
    try:
        return read_from(_asked_for(), BytesIO(block))
    # Damaged bytes raise whatever their parser happens to stumble over.
    except (ValueError, LookupError, ArithmeticError, struct.error):
        return b""


def _asked_for() -> Steps[bytes]:
    layout, at = yield from tiff.head()
    main = yield from tiff.directory(at, layout)
    return (yield from tiff.exif_of(main, layout))
