"""The pixels of a BMP, by Pillow, as a picture of libvips, which has no loader for it."""

from pathlib import Path
from typing import BinaryIO, Final

import pyvips
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile

from libs.common.images.reading import bmp
from libs.common.images.reading.steps import MAX_BLOCK_BYTES, Span, read_from
from libs.common.images.renditions import RGB, profiled

_TABLE_BYTES: Final = 3 * 256
#: Pillow's names of how indices are packed, by their bits.
_INDICES: Final = {4: "P;4", 8: "P"}


def size_of(path: str | Path) -> tuple[int, int]:
    """Return width and height; raises ValueError for what Pillow would not read, or for ages.

    Its decoder of run lengths is Python, and makes as many bytes as a file of ten says.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - worker processes deal in strings, too
        bitmap = read_from(bmp.read(), file)
    if bitmap.oddity is not None:
        msg = f"a BMP {bitmap.oddity}"
        raise ValueError(msg)
    return bitmap.width, bitmap.height


def opened(path: str | Path) -> pyvips.Image:
    """Return the upright picture with its colour profile. Its size has been looked at before.

    Raises ValueError, OSError or struct.error for what is damaged or cut off.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - worker processes deal in strings, too
        bitmap = read_from(bmp.read(), file)
        profile = b""
        if bitmap.profile is not None and bitmap.profile.length <= MAX_BLOCK_BYTES:
            profile = _piece(file, bitmap.profile)
        if bitmap.palette is not None and bitmap.bits in _INDICES:
            image = _of_indices(file, bitmap, bitmap.palette)
        else:
            file.seek(0)
            with BmpImageFile(file) as picture:
                image = _of(picture)
    image = image.copy(interpretation="srgb" if image.bands >= RGB else "b-w")
    return profiled(image, profile) if profile else image


def _of_indices(file: BinaryIO, bitmap: bmp.Bitmap, palette: Span) -> pyvips.Image:
    """Return a picture of 16 or 256 colours.

    Not by Pillow's reader of files: where only black and white are in use, it takes indices for
    bits.
    """
    size = bitmap.width, bitmap.height
    line_bytes = bitmap.pixels.length // bitmap.height
    direction = 1 if bitmap.is_top_down else -1
    lines = _piece(file, bitmap.pixels)
    raw_mode = _INDICES[bitmap.bits]
    picture = Image.frombytes("P", size, lines, "raw", raw_mode, line_bytes, direction)
    colours = _piece(file, Span(palette.start, min(palette.length, 256 * bitmap.colour_bytes)))
    return _looked_up(picture, _rgb(colours, bitmap.colour_bytes))


def _of(picture: ImageFile) -> pyvips.Image:
    if palette := picture.getpalette("RGB"):
        return _looked_up(picture, bytes(palette))
    plain = picture.convert("L") if picture.mode == "1" else picture
    bands = len(plain.getbands())
    image = pyvips.Image.new_from_memory(plain.tobytes(), *picture.size, bands, "uchar")
    # Programs that know no transparency leave zeros there.
    return image[:RGB] if bands > RGB and plain.getextrema()[-1] == (0, 0) else image


def _looked_up(indices: Image.Image, palette: bytes) -> pyvips.Image:
    """Colours are looked up line by line: Pillow would take four bytes for each pixel."""
    image = pyvips.Image.new_from_memory(indices.tobytes(), *indices.size, 1, "uchar")
    table = palette[:_TABLE_BYTES].ljust(_TABLE_BYTES, b"\0")
    return image.maplut(pyvips.Image.new_from_memory(table, 256, 1, 3, "uchar"))


def _rgb(colours: bytes, colour_bytes: int) -> bytes:
    """Return as red, green and blue what a palette has as blue, green and red."""
    count = len(colours) // colour_bytes
    table = bytearray(3 * count)
    for band in range(3):
        table[band::3] = colours[2 - band :: colour_bytes][:count]
    return bytes(table)


def _piece(file: BinaryIO, span: Span) -> bytes:
    file.seek(span.start)
    return file.read(span.length)
