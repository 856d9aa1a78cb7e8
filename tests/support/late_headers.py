"""Photos that say behind their first megabyte what lists need: size, or when they were taken."""

import io
import random
import struct
import zlib
from datetime import datetime

from PIL import Image
from PIL.ExifTags import IFD, Base

from libs.common.images.boxes import boxes, content_of, extents
from tests.support.image_files import image_file

FIRST_BYTES = 1024 * 1024
CLOCK = "2026:06:13 15:04:05"
TAKEN_AT = datetime(2026, 6, 13, 15, 4, 5)  # noqa: DTZ001 - a camera's clock
#: Of all of them, upright; stored they lie on their side.
SIZE = (48, 64)


def late_headers() -> dict[str, bytes]:
    """Return each with a name that says what is special."""
    jpeg, png = _picture("JPEG"), _picture("PNG")
    filling = random.Random(1).randbytes(FIRST_BYTES)
    files = {
        "xmp before the frame.jpg": with_segments(jpeg, 0xE1, filling),
        "comments before the frame.jpg": with_segments(jpeg, 0xFE, filling),
        "text before the picture.png": with_chunk(png, b"tEXt", b"Comment\0" + filling),
        "packed text before the picture.png": with_chunk(
            png, b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3 * FIRST_BYTES)) + filling
        ),
        "broken text before the picture.png": with_chunk(png, b"iTXt", filling, checksum=0),
        "exif behind the picture.png": exif_behind(large_png()),
        "meta behind the pictures.heic": meta_last(_picture("HEIF"), filling),
        "meta behind the pictures.avif": meta_last(_picture("AVIF"), filling),
        "exif behind the picture.webp": large_webp(),
        "directory at the end.tif": tiff("<", filling),
        "directory at the end, other order.tif": tiff(">", filling),
        "directory at the end, big.tif": tiff("<", filling, is_big=True),
    }
    assert all(len(content) > FIRST_BYTES for content in files.values())
    return files


def _picture(kind: str) -> bytes:
    return image_file(kind, size=(SIZE[1], SIZE[0]), orientation=6, taken=CLOCK)


def with_segments(jpeg: bytes, code: int, filling: bytes) -> bytes:
    """Put segments with this content before all others."""
    step = 60_000
    pieces = [filling[at : at + step] for at in range(0, len(filling), step)]
    told = b"".join(bytes((0xFF, code)) + struct.pack(">H", 2 + len(p)) + p for p in pieces)
    return jpeg[:2] + told + jpeg[2:]


def with_chunk(png: bytes, kind: bytes, content: bytes, *, checksum: int | None = None) -> bytes:
    """Put a chunk behind the header."""
    return png[:33] + png_chunk(kind, content, checksum=checksum) + png[33:]


def png_chunk(kind: bytes, content: bytes, *, checksum: int | None = None) -> bytes:
    """Return a chunk, with a checksum that is wrong where one is given."""
    right = zlib.crc32(kind + content)
    check = right if checksum is None else checksum
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def _noise(width: int, height: int) -> Image.Image:
    """Stored lying on its side, with as many pixels as make a large file of it."""
    return Image.frombytes("RGB", (width, height), random.Random(2).randbytes(3 * width * height))


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = CLOCK
    return exif


def large_png() -> bytes:
    """Return one whose picture alone has more than a megabyte; it lies on its side."""
    file = io.BytesIO()
    _noise(SIZE[1] * 10, SIZE[0] * 20).save(file, "PNG", exif=_exif())
    return file.getvalue()


def large_webp() -> bytes:
    """Return one whose picture alone has more than a megabyte; it lies on its side."""
    file = io.BytesIO()
    _noise(SIZE[1] * 10, SIZE[0] * 20).save(file, "WEBP", lossless=True, method=0, exif=_exif())
    return file.getvalue()


def exif_behind(png: bytes) -> bytes:
    """Move the EXIF chunk behind the picture."""
    at = png.index(b"eXIf") - 4
    end = at + 12 + int.from_bytes(png[at : at + 4])
    return png[:at] + png[end:-12] + png[at:end] + png[-12:]


def meta_last(heif: bytes, filling: bytes) -> bytes:
    """Write `mdat` before `meta`, as some phones do, and much into it."""
    found = dict(boxes(heif))
    ftyp, meta, mdat = (content_of(found, kind) for kind in (b"ftyp", b"meta", b"mdat"))
    head = struct.pack(">I4s", 8 + len(ftyp), b"ftyp") + ftyp
    moved = len(head) + 8 + len(filling) - heif.index(mdat)
    iloc = content_of(dict(boxes(meta[4:])), b"iloc")
    changed = iloc
    for _, _, places in extents(iloc):
        for offset, _ in places:
            old, new = (struct.pack(">I", place) for place in (offset, offset + moved))
            assert iloc.count(old) == 1
            changed = changed.replace(old, new)
    content = filling + mdat
    return (
        head
        + struct.pack(">I4s", 8 + len(content), b"mdat")
        + content
        + struct.pack(">I4s", 8 + len(meta), b"meta")
        + meta.replace(iloc, changed)
    )


def tiff(order: str, filling: bytes, *, is_big: bool = False) -> bytes:
    """Return one whose directories are at its end, as most programs write it."""
    width, height = SIZE[1], SIZE[0]
    pixels = bytes(width * height)
    word, number = ("Q", "Q") if is_big else ("H", "I")
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "H", 43 if is_big else 42)
    head += struct.pack(order + "HH", 8, 0) if is_big else b""
    start = len(head) + struct.calcsize(order + number)
    clock = CLOCK.encode() + b"\0"
    clock_at = start + len(pixels) + len(filling)
    exif_at = clock_at + len(clock)

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        packed = struct.pack(order + "HH" + number, tag, kind, count)
        packed += struct.pack(order + ("H" if kind == 3 else "I" if kind == 4 else number), value)
        return packed.ljust(20 if is_big else 12, b"\0")

    def directory(*entries: bytes) -> bytes:
        told = struct.pack(order + word, len(entries)) + b"".join(entries)
        return told + bytes(struct.calcsize(order + number))

    exif = directory(entry(36867, 2, len(clock), clock_at))
    main = directory(
        entry(256, 3, 1, width),
        entry(257, 4, 1, height),
        entry(258, 3, 1, 8),
        entry(259, 3, 1, 1),
        entry(262, 3, 1, 1),
        entry(273, 4, 1, start),
        entry(274, 3, 1, 6),
        entry(277, 3, 1, 1),
        entry(278, 3, 1, height),
        entry(279, 4, 1, len(pixels)),
        entry(34665, 16 if is_big else 4, 1, exif_at),
    )
    pointer = struct.pack(order + number, exif_at + len(exif))
    return head + pointer + pixels + filling + clock + exif + main
