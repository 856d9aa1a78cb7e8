"""Image files of every kind a camera, a phone or a prankster sends."""

import io
import random
import struct
import zlib
from functools import cache

import pillow_heif
from PIL import Image
from PIL.ExifTags import IFD, Base

pillow_heif.register_heif_opener()


@cache
def image_file(
    file_format: str = "JPEG",
    *,
    mode: str = "RGB",
    size: tuple[int, int] = (64, 48),
    seed: int = 0,
    orientation: int | None = None,
    taken: str | None = None,
) -> bytes:
    """Return a file whose bytes depend on all parameters. Encoded once: it is asked for often."""
    noise = Image.frombytes("L", size, random.Random(seed).randbytes(size[0] * size[1]))
    exif = Image.Exif()
    if orientation is not None:
        exif[Base.Orientation] = orientation
    if taken is not None:
        exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = taken
    file = io.BytesIO()
    options = {} if file_format == "GIF" else {"exif": exif.tobytes()}
    noise.convert(mode).save(file, file_format, **options)
    return file.getvalue()


def large_jpeg(size_bytes: int, *, seed: int = 0) -> bytes:
    """Return a JPEG of exactly this size: what follows the picture is noise."""
    picture = image_file(seed=seed)
    return picture + random.Random(seed).randbytes(size_bytes - len(picture))


def png_of_claimed_size(width: int, height: int) -> bytes:
    """Return a tiny PNG whose header claims a size; its decoder would have to believe it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )
