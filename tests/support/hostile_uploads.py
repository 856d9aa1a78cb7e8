"""Files that nobody can use: cut off, damaged, of other kinds, and made to do harm."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator

from tests.support.bitmaps import hostile_bitmaps
from tests.support.crafted_heif import crafted_heif, iloc
from tests.support.image_files import image_file, png_of_claimed_size

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "HEIF", "AVIF")
#: What a file of each kind begins with; enough to be taken for one.
SIGNATURES = {
    "JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "WEBP": b"RIFF\xff\xff\x00\x00WEBPVP8 ",
    "TIFF": b"II*\x00\x08\x00\x00\x00",
    "TIFF of the other order": b"MM\x00*\x00\x00\x00\x08",
    "BigTIFF": b"II+\x00\x08\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00",
    "GIF": b"GIF89a",
    "BMP": b"BM" + bytes(12) + b"\x28\x00\x00\x00",
    "HEIF": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
    "AVIF": b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif",
}
#: Of what people drop into an upload by mistake or on purpose.
OTHERS = {
    "page.jpg": b"<!doctype html><script>alert(1)</script>",
    "picture.svg": b'<?xml version="1.0"?><svg onload="alert(1)"/>',
    "entities.xml": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "script.sh": b"#!/bin/sh\nrm -rf /\n",
    "program.exe": b"MZ\x90\x00" + bytes(60) + b"PE\x00\x00",
    "program.elf": b"\x7fELF\x02\x01\x01" + bytes(57),
    "document.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "drawing.ps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%Page: 1\n(file) run\n",
    "magick.mvg": b"push graphic-context\nfill 'url(https://example.org/x.jpg\"|ls \"-la)'\n",
    "magick.msl": b'<image><read filename="/etc/passwd"/></image>',
    "movie.mp4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
    "movie.mov": b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  ",
    "raw.cr3": b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom",
    "raw.cr2": b"II*\x00\x10\x00\x00\x00CR\x02\x00",
    "raw.raf": b"FUJIFILMCCD-RAW 0201FF383001",
    "raw.rw2": b"IIU\x00\x18\x00\x00\x00",
    "raw.orf": b"IIRO\x08\x00\x00\x00",
    "layers.psd": b"8BPS\x00\x01" + bytes(20),
    "scan.bmp": b"BM\x36\x00\x00\x00" + bytes(48),
    "words.bmp": b"BMW",
    "icon.ico": b"\x00\x00\x01\x00\x01\x00\x10\x10\x00\x00",
    "picture.jp2": b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    "picture.jxl": b"\xff\x0a\xfa\x1f",
    "picture.jxl-box": b"\x00\x00\x00\x0cJXL \r\n\x87\n",
    "picture.exr": b"\x76\x2f\x31\x01\x02\x00\x00\x00",
    "picture.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 10 +X 10\n",
    "picture.pnm": b"P6\n64 48\n255\n" + bytes(64 * 48 * 3),
    "picture.pcx": b"\x0a\x05\x01\x08" + bytes(124),
    "picture.flif": b"FLIF\x44\x31",
    "archive.gz": b"\x1f\x8b\x08\x00" + bytes(20),
    "archive.7z": b"7z\xbc\xaf\x27\x1c\x00\x04",
    "archive.rar": b"Rar!\x1a\x07\x01\x00",
    "database.sqlite": b"SQLite format 3\x00" + bytes(84),
    "Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
    ".DS_Store": b"\x00\x00\x00\x01Bud1" + bytes(100),
    "._IMG_1.JPG": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(100),
    "IMG_1.xmp": b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>',
    "IMG_1.json": b'{"not": "a photo"}',
    "a byte.jpg": b"\xff",
    "zeros.jpg": bytes(5000),
    "spaces.jpg": b" " * 5000,
    "ones.jpg": b"\xff" * 5000,
    "starts of a jpeg.jpg": b"\xff\xd8" * 2500,
}


def hostile_uploads() -> Iterator[tuple[str, bytes]]:
    """Yield each with a name that says what is wrong; no decoder makes a whole picture of any."""
    yield "empty.jpg", b""
    yield from OTHERS.items()
    yield "archive.zip", _zip()
    noise = random.Random(13)
    for number in range(12):
        yield f"noise {number}.jpg", noise.randbytes(7 ** (number % 6 + 1))
    yield from _cut_off()
    yield from _damaged(noise)
    yield from _bombs()
    yield from _odd_containers()
    yield from hostile_bitmaps()


def _cut_off() -> Iterator[tuple[str, bytes]]:
    for kind in FORMATS:
        whole = image_file(kind, size=(320, 240))
        for length in (3, 9, 17, 33, 65):
            yield f"{length} bytes of {kind}", whole[:length]
        for part in (10, 30, 50, 70):
            yield f"{part} percent of {kind}", whole[: len(whole) * part // 100]


def _damaged(noise: random.Random) -> Iterator[tuple[str, bytes]]:
    for kind, signature in SIGNATURES.items():
        yield f"{kind} and nothing", signature
        yield f"{kind} and zeros", signature + bytes(4000)
        yield f"{kind} and ones", signature + b"\xff" * 4000
        for number in range(3):
            yield f"{kind} and noise {number}", signature + noise.randbytes(10 ** (number + 1))
    for kind in FORMATS:
        whole = bytearray(image_file(kind, size=(320, 240)))
        middle = slice(16, len(whole) * 9 // 10)
        whole[middle] = bytes(len(whole[middle]))
        yield f"{kind} with zeros in the middle", bytes(whole)


def _bombs() -> Iterator[tuple[str, bytes]]:
    for width, height in (
        (60_000, 60_000),
        (2**31 - 1, 1),
        (1, 2**31 - 1),
        (2**31 - 1, 2**31 - 1),
        (0, 0),
        (0, 100),
        (100, 0),
        (14_500, 14_500),
        (5_000, 4_000),  # within the limit, and no pixels behind it
    ):
        yield f"PNG of {width} x {height}", png_of_claimed_size(width, height)
    for width, height in ((65_535, 65_535), (0, 100), (65_535, 1)):
        yield f"JPEG of {width} x {height}", _jpeg_of_claimed_size(width, height)
        yield f"GIF of {width} x {height}", b"GIF89a" + struct.pack("<HH3x", width, height) + b";"
        yield f"TIFF of {width} x {height}", _tiff_of_claimed_size(width, height)
    yield (
        "lossless WebP of 16384 x 16384",
        b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f" + bytes.fromhex("ffffff0f") + bytes(13),
    )
    yield (
        "extended WebP of 16777216 x 16777216",
        (b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff" * 6),
    )
    header = zlib.compress(bytes(50_000_000))
    yield "PNG with 50 MB of text", _png_with(b"zTXt", b"Comment\0\0" + header)
    yield "PNG with 50 MB of profile", _png_with(b"iCCP", b"icc\0\0" + header)


def _odd_containers() -> Iterator[tuple[str, bytes]]:
    def place(first: int, length: int) -> bytes:
        return struct.pack(">II", first, length)

    widths = (4, 4, 0, 0)
    for name, entry in {
        "before its file": place(0, 0),
        "behind its file": place(2**32 - 1, 2**32 - 1),
        "of everything": place(0, 2**32 - 1),
    }.items():
        for coding in (b"hvc1", b"av01", b"avc1", b"grid", b"iovl", b"iden"):
            content = crafted_heif(iloc(widths, [(1, 1, entry)]), coding=coding)
            yield f"{coding.decode()} with its picture {name}", content
    deep = b""
    for _ in range(2000):
        deep = struct.pack(">I4s", 8 + len(deep), b"meta") + deep
    yield "HEIF of nested boxes", SIGNATURES["HEIF"] + deep
    loop = struct.pack("<HHHLLL", 1, 0x0100, 4, 1, 64, 8)
    yield "TIFF whose directory is the next one", b"II*\0\x08\0\0\0" + loop
    many = struct.pack("<H", 65_535) + struct.pack("<HHLL", 0x0100, 4, 2**32 - 1, 8) * 1000
    yield "TIFF of 65535 entries", b"II*\0\x08\0\0\0" + many
    picture = image_file("PNG", size=(320, 240))
    yield "PNG of wrong checksums", picture[:29] + bytes(4) + picture[33:60] + bytes(200)
    segment = b"\xff\xe1\xff\xff" + bytes(65_533)
    yield "JPEG of nothing but EXIF", b"\xff\xd8" + segment * 20
    yield "JPEG of endless restarts", b"\xff\xd8" + b"\xff\xd0" * 5000
    yield "GIF whose colours are cut off", b"GIF89a" + struct.pack("<HHBBB", 64, 48, 0xF7, 0, 0)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../etc/passwd", image_file())
    return file.getvalue()


def _jpeg_of_claimed_size(width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes.fromhex("011100021100031100")
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", 2 + len(frame)) + frame + b"\xff\xd9"


def _tiff_of_claimed_size(width: int, height: int) -> bytes:
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, min(width * height, 2**32 - 1)),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHLL", tag, kind, 1, value) for tag, kind, value in entries
    )
    return b"II*\0\x08\0\0\0" + directory + bytes(4)


def _png_with(kind: bytes, content: bytes) -> bytes:
    picture = png_of_claimed_size(64, 48)
    chunk = struct.pack(">I", len(content)) + kind + content
    return picture[:33] + chunk + struct.pack(">I", zlib.crc32(kind + content)) + picture[33:]
