"""Cameras' raw files as far as their JPEG is concerned.

Made by the documented structure of each kind, with decoys of what real ones have beside it: a
thumbnail, and what the sensor saw. No camera wrote them: what they cannot show is whether a maker
does as is documented.
"""

import io
import struct
from collections.abc import Callable, Mapping
from typing import Final

from PIL import Image
from PIL.ExifTags import IFD, Base

CLOCK: Final = "2026:06:13 15:04:05"
#: Stored; it is turned to lie on its side by the raw file, and by nothing else but in RAF.
SIZE: Final = (1200, 900)
RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 160, 40), (40, 50, 190), (220, 200, 40)
_SIDEWAYS: Final = 6

Value = bytes | int | str | list[int]
Entries = Mapping[int, Value]


def picture(size: tuple[int, int] = SIZE) -> Image.Image:
    """A colour in each quarter, as it is stored."""
    image = Image.new("RGB", size, RED)
    width, height = size[0] // 2, size[1] // 2
    image.paste(GREEN, (width, 0, size[0], height))
    image.paste(BLUE, (0, height, width, size[1]))
    image.paste(YELLOW, (width, height, *size))
    return image


def jpeg(size: tuple[int, int] = SIZE, *, exif: bytes = b"") -> bytes:
    """Return what the camera would have written beside the raw file."""
    file = io.BytesIO()
    picture(size).save(file, "JPEG", quality=90, exif=exif)
    return file.getvalue()


#: What a sensor saw is a lossless JPEG in CR2 and DNG: a decoder of pictures would stumble over it.
_LOSSLESS: Final = b"\xff\xd8\xff\xc3\0\x0b\x0e\x0f\xa0\x17\x70\x01\0\x11\0\xff\xda" + bytes(
    400_000
)


class _Tiff:
    """Puts directories one behind the other; what they refer to lies where it was put."""

    def __init__(self, *, order: str = "<", magic: int = 42, head_bytes: int = 8) -> None:
        self.order = order
        self._magic = magic
        self.data = bytearray(head_bytes)

    def put(self, content: bytes) -> int:
        """Append, and return where."""
        self.data += bytes(len(self.data) % 2)
        self.data += content
        return len(self.data) - len(content)

    def directory(self, entries: Entries, following: int = 0) -> int:
        """Append a directory with its values behind it, and return where it is."""
        at = self.put(b"")
        behind = at + 2 + 12 * len(entries) + 4
        table, values = struct.pack(self.order + "H", len(entries)), b""
        for tag, value in sorted(entries.items()):
            kind, count, raw = self._packed(tag, value)
            if len(raw) > 4:
                place = struct.pack(self.order + "I", behind + len(values))
                values += raw + bytes(len(raw) % 2)
            else:
                place = raw.ljust(4, b"\0")
            table += struct.pack(self.order + "HHI", tag, kind, count) + place
        self.data += table + struct.pack(self.order + "I", following) + values
        return at

    def _packed(self, tag: int, value: Value) -> tuple[int, int, bytes]:
        if isinstance(value, bytes):
            return 7, len(value), value
        if isinstance(value, str):
            return 2, len(value) + 1, value.encode() + b"\0"
        if isinstance(value, list):
            return 4, len(value), struct.pack(f"{self.order}{len(value)}I", *value)
        if tag in {259, 262, 274}:
            return 3, 1, struct.pack(self.order + "H", value)
        return 4, 1, struct.pack(self.order + "I", value)

    def file(self, first: int) -> bytes:
        """Return all of it."""
        mark = b"II" if self.order == "<" else b"MM"
        self.data[:8] = mark + struct.pack(self.order + "HI", self._magic, first)
        return bytes(self.data)


def _main(make: str, **more: Value) -> dict[int, Value]:
    entries: dict[int, Value] = {271: make, 274: _SIDEWAYS}
    return entries | {int(tag[1:]): value for tag, value in more.items()}


def _with_first(tiff: _Tiff, entries: Entries, *, at: int = 8, following: int = 0) -> bytes:
    """The first directory is at the beginning, where cameras put it: its room was left there."""
    made = _Tiff(order=tiff.order, head_bytes=at)
    made.directory(entries, following)
    assert len(made.data) <= at + len(_ROOM)
    tiff.data[at : len(made.data)] = made.data[at:]
    return tiff.file(at)


def _exif(tiff: _Tiff, **more: Value) -> int:
    entries: dict[int, Value] = {36867: CLOCK}
    return tiff.directory(entries | {int(tag[1:]): value for tag, value in more.items()})


_ROOM: Final = bytes(1024)


def cr2(size: tuple[int, int] = SIZE) -> bytes:
    """Canon's until 2018: the first directory's strip is the JPEG, the last one's the sensor's."""
    tiff = _Tiff(head_bytes=16)
    tiff.put(_ROOM)
    content, small = jpeg(size), jpeg((160, 120))
    last = tiff.directory({259: 6, 273: tiff.put(_LOSSLESS), 279: len(_LOSSLESS)})
    second = tiff.directory({513: tiff.put(small), 514: len(small)}, following=last)
    main = _main("Canon", _259=6, _273=tiff.put(content), _279=len(content), _34665=_exif(tiff))
    tiff.data[8:12] = b"CR\2\0"
    return _with_first(tiff, main, at=16, following=second)


def nef(size: tuple[int, int] = SIZE) -> bytes:
    """Nikon's: the JPEG is in the first of the sub-directories, in the other byte order."""
    tiff = _Tiff(order=">")
    tiff.put(_ROOM)
    content = jpeg(size)
    shown = tiff.directory({254: 1, 259: 6, 513: tiff.put(content), 514: len(content)})
    sensor = tiff.directory({254: 0, 259: 34713, 273: tiff.put(_LOSSLESS), 279: len(_LOSSLESS)})
    main = _main("NIKON CORPORATION", _254=1, _330=[shown, sensor], _34665=_exif(tiff))
    return _with_first(tiff, main)


def arw(size: tuple[int, int] = SIZE) -> bytes:
    """Sony's: the first directory refers to a JPEG, another one of newer cameras to a larger."""
    tiff = _Tiff()
    tiff.put(_ROOM)
    content, small = jpeg(size), jpeg((800, 600))
    larger = tiff.directory({259: 6, 513: tiff.put(content), 514: len(content)})
    main = _main(
        "SONY", _254=1, _330=larger, _513=tiff.put(small), _514=len(small), _34665=_exif(tiff)
    )
    return _with_first(tiff, main)


def dng(size: tuple[int, int] = SIZE) -> bytes:
    """Adobe's, also of phones: a thumbnail without compression, and the JPEG a strip."""
    tiff = _Tiff()
    tiff.put(_ROOM)
    content = jpeg(size)
    sensor = tiff.directory({254: 0, 259: 7, 273: tiff.put(_LOSSLESS), 279: len(_LOSSLESS)})
    shown = tiff.directory({254: 1, 259: 7, 273: tiff.put(content), 279: len(content)})
    main = _main(
        "Apple", _254=1, _330=[sensor, shown], _34665=_exif(tiff), _50706=b"\1\4\0\0", _259=1
    )
    return _with_first(tiff, main)


def dng_with_its_directory_last() -> bytes:
    """What no camera writes, and some program may."""
    tiff = _Tiff()
    tiff.put(bytes(100_000))
    content = jpeg()
    shown = tiff.directory({254: 1, 259: 7, 273: tiff.put(content), 279: len(content)})
    main = _main("Apple", _254=1, _256=64, _257=48, _330=shown, _50706=b"\1\4\0\0")
    return tiff.file(tiff.directory(main))


def rw2(size: tuple[int, int] = SIZE) -> bytes:
    """Panasonic's: the JPEG is a value of the first directory."""
    tiff = _Tiff(magic=0x55)
    main = _main("Panasonic", _46=jpeg(size), _34665=_exif(tiff))
    return tiff.file(tiff.directory(main))


def orf(size: tuple[int, int] = SIZE, *, begins: bytes = b"OLYMPUS\0II\3\0") -> bytes:
    """Olympus': the maker's notes refer to the JPEG, counted from where they begin."""
    content = jpeg(size)
    note = _Tiff(head_bytes=len(begins))
    # The notes' directory is the first thing behind their head.
    settings_at = len(begins) + 2 + 12 + 4
    note.directory({0x2020: settings_at})
    jpeg_at = settings_at + 2 + 24 + 4
    assert note.directory({0x0101: jpeg_at, 0x0102: len(content)}) == settings_at
    assert note.put(content) == jpeg_at
    note.data[: len(begins)] = begins
    tiff = _Tiff(magic=0x4F52)
    main = _main("OLYMPUS", _34665=_exif(tiff, _37500=bytes(note.data)))
    file = tiff.file(tiff.directory(main))
    # The notes say that they end with their first directory; what it refers to lies behind.
    told = struct.pack("<HHI", 37500, 7, len(note.data))
    assert file.count(told) == 1
    return file.replace(told, struct.pack("<HHI", 37500, 7, settings_at))


def raf(size: tuple[int, int] = SIZE) -> bytes:
    """Fujifilm's: the head says where the JPEG is, which has the EXIF."""
    exif = Image.Exif()
    exif[Base.Orientation] = _SIDEWAYS
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = CLOCK
    content = jpeg(size, exif=exif.tobytes())
    head = b"FUJIFILMCCD-RAW 0201FF389501X-T4".ljust(84, b"\0")
    return head.ljust(84, b"\0") + struct.pack(">II", 148, len(content)) + bytes(56) + content


def cr3(size: tuple[int, int] = SIZE) -> bytes:
    """Canon's since 2018: the JPEG is the sample of the first track."""
    content, small = jpeg(size), jpeg((640, 480))
    main, inner = _Tiff(), _Tiff()
    metadata = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + b"".join(
        (
            _box(b"CNCV", b"CanonCR3_001/00.09.00/00.00.00"),
            _box(b"CMT1", main.file(main.directory(_main("Canon")))),
            _box(b"CMT2", inner.file(inner.directory({36867: CLOCK}))),
        )
    )
    shown = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16") + bytes(7) + b"\1"
    shown += _box(b"PRVW", struct.pack(">IHHHHI", 0, 1, 640, 480, 1, len(small)) + small)

    def moov(at: int) -> bytes:
        tracks = _track(at, len(content)) + _track(at + len(content), len(_LOSSLESS))
        return _box(b"moov", _box(b"uuid", metadata) + tracks)

    before = _box(b"ftyp", b"crx \0\0\0\1crx isom")
    between = _box(b"uuid", shown)
    at = len(before) + len(moov(0)) + len(between) + 8
    return before + moov(at) + between + _box(b"mdat", content + _LOSSLESS)


def _track(at: int, length: int) -> bytes:
    samples = _box(b"stsz", struct.pack(">III", 0, length, 1))
    chunks = _box(b"co64", struct.pack(">IIQ", 0, 1, at))
    table = _box(b"stbl", samples + chunks)
    return _box(b"trak", _box(b"mdia", _box(b"minf", table)))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


RAWS: Final[dict[str, Callable[[tuple[int, int]], bytes]]] = {
    "canon.cr2": cr2,
    "canon.cr3": cr3,
    "nikon.nef": nef,
    "sony.arw": arw,
    "phone.dng": dng,
    "fuji.raf": raf,
    "olympus.orf": orf,
    "panasonic.rw2": rw2,
}
