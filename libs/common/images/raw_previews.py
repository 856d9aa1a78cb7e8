"""The JPEG in a camera's raw file, as large as the photo in most: what is shown of it.

Read in Python, by where each maker puts it, so that no raw converter meets a stranger's bytes:

- DNG, Canon's CR2, Nikon's NEF and Sony's ARW are TIFFs, Panasonic's RW2 and Olympus' ORF are but
  for their first bytes. The JPEG is a strip of a directory (TIFF 6.0, TIFF/EP), or what tags 513
  and 514 refer to, in RW2 tag 46 itself, in ORF the preview of the maker's camera settings.
- Fujifilm's RAF says at its beginning where it is.
- Canon's CR3 is an ISO base media file: it is a sample of a track, and a smaller one lies in a box.
"""

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Final

from PIL.ExifTags import Base

from libs.common.images.boxes import boxes, first_samples
from libs.common.images.formats import ImageFormat
from libs.common.images.reading import jpeg, tiff
from libs.common.images.reading.exif import loaded
from libs.common.images.reading.steps import Span, Steps, exactly, part_of, read_from

#: What is smaller is made for the camera's own display.
MIN_LONG_SIDE_PX: Final = 1000

_COMPRESSION, _STRIPS, _STRIP_BYTES, _SUB_DIRECTORIES = 259, 273, 279, 330
_JPEG_AT, _JPEG_BYTES = 513, 514
_OF_PANASONIC: Final = 46
_MAKER_NOTE: Final = 37500
_JPEG_COMPRESSIONS: Final = frozenset({6, 7})
_MAX_DIRECTORIES: Final = 32
_MAX_JPEGS: Final = 16
_SOI: Final = b"\xff\xd8\xff"

#: Olympus' notes by their beginnings: how many bytes those are before the directory.
_OLYMPUS_NOTES: Final = {b"OLYMPUS\0": 12, b"OM SYSTEM\0": 16}
_NO_END: Final = 1 << 40
_CAMERA_SETTINGS, _PREVIEW_AT, _PREVIEW_BYTES = 0x2020, 0x0101, 0x0102

_RAF_PLACE_AT: Final = 84

_CANON_METADATA: Final = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_CANON_PREVIEW: Final = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")
#: In the preview's box, behind its head: where the JPEG's length is, and the JPEG.
_CR3_LENGTH_AT, _CR3_JPEG_AT = 44, 48
_MAX_MOOV_BYTES: Final = 4 * 1024 * 1024
_MAX_TOP_BOXES: Final = 64

_Place = tuple[int, int]  # where it begins, and how many bytes it has


@dataclass(frozen=True, slots=True)
class Preview:
    """Where the JPEG is in the file, its stored size, and the raw file's EXIF.

    By that, and not by the JPEG's own, the picture is turned.
    """

    start: int
    length: int
    width: int
    height: int
    exif: bytes

    @property
    def orientation(self) -> int:
        """EXIF's, 1 where nothing says another."""
        try:
            found = loaded(self.exif).get(Base.Orientation)
        except Exception:  # noqa: BLE001 - a damaged value says nothing of the picture
            return 1
        return found if isinstance(found, int) and 1 <= found <= 8 else 1


def find(kind: ImageFormat) -> Steps[Preview | None]:
    """Return the largest JPEG of a raw file of this kind, None where it has none.

    Raises ValueError, LookupError or struct.error for what is no such file.
    """
    match kind:
        case ImageFormat.CR3:
            places, exif = yield from _in_cr3()
        case ImageFormat.RAF:
            place = struct.unpack(">II", (yield from exactly(_RAF_PLACE_AT, 8)))
            places, exif = [(place[0], place[1])], b""
        case _:
            places, exif = yield from _in_tiff(is_olympus=kind is ImageFormat.ORF)
    best: Preview | None = None
    for start, length in list(dict.fromkeys(places))[:_MAX_JPEGS]:
        found = yield from _jpeg(start, length, exif)
        if found and (best is None or _pixels(found) > _pixels(best)):
            best = found
    return best


def of_file(file: BinaryIO, kind: ImageFormat) -> tuple[Preview, bytes]:
    """Return the preview of a raw file, and its bytes. Raises ValueError where there is none."""
    found = read_from(find(kind), file)
    if found is None:
        msg = "a raw file without a JPEG"
        raise ValueError(msg)
    # No more than there is: the file says how long it is, and may say terabytes.
    left = file.seek(0, os.SEEK_END) - found.start
    file.seek(found.start)
    return found, file.read(max(0, min(found.length, left)))


def _pixels(preview: Preview) -> tuple[int, int]:
    return math.prod((preview.width, preview.height)), preview.length


def _jpeg(start: int, length: int, exif: bytes) -> Steps[Preview | None]:
    if (yield Span(start, len(_SOI))) != _SOI:
        return None
    try:
        found = yield from part_of(jpeg.parse(jpeg.LOSSY_FRAMES), start, length)
    except ValueError:
        return None
    return Preview(start, length, found.width, found.height, exif or found.metadata.exif)


def _in_tiff(*, is_olympus: bool) -> Steps[tuple[list[_Place], bytes]]:
    layout, first = yield from tiff.head()
    main = yield from tiff.directory(first, layout)
    exif = yield from tiff.exif_of(main, layout)
    places = (yield from _of_olympus(main, layout)) if is_olympus else []
    waiting, seen = [first], {0}
    while waiting and len(seen) <= _MAX_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen:
            continue
        seen.add(at)
        try:
            entries = yield from tiff.directory(at, layout)
            places += yield from _of_directory(entries, layout)
            waiting += yield from tiff.numbers(entries.get(_SUB_DIRECTORIES), layout)
            waiting.append((yield from tiff.following(at, layout)))
        except (ValueError, struct.error):
            continue  # one that is damaged need not be the JPEG's
    return places, exif


def _of_directory(entries: dict[int, tiff.Entry], layout: tiff.Layout) -> Steps[list[_Place]]:
    places: list[_Place] = []
    if _JPEG_AT in entries and _JPEG_BYTES in entries:
        places.append((yield from _place(entries, _JPEG_AT, _JPEG_BYTES, layout)))
    compressions = yield from tiff.numbers(entries.get(_COMPRESSION), layout)
    strips = entries.get(_STRIPS)
    if strips and strips.count == 1 and _JPEG_COMPRESSIONS.issuperset(compressions):
        places.append((yield from _place(entries, _STRIPS, _STRIP_BYTES, layout)))
    if own := entries.get(_OF_PANASONIC):
        places.append((own.at, own.length))
    return places


def _place(
    entries: dict[int, tiff.Entry], at: int, length: int, layout: tiff.Layout
) -> Steps[_Place]:
    start = yield from tiff.number(entries.get(at), layout)
    return start, (yield from tiff.number(entries.get(length), layout))


def _of_olympus(main: dict[int, tiff.Entry], layout: tiff.Layout) -> Steps[list[_Place]]:
    """What the notes refer to is counted from where they begin."""
    try:
        at = yield from tiff.number(main.get(tiff.EXIF_IFD), layout)
        note = (yield from tiff.directory(at, layout))[_MAKER_NOTE]
        begins = yield Span(note.at, max(map(len, _OLYMPUS_NOTES)))
        before = next(n for mark, n in _OLYMPUS_NOTES.items() if begins.startswith(mark))
        inside = _olympus_preview(before, layout)
        # They may say that they are shorter than what they refer to.
        start, length = yield from part_of(inside, note.at, _NO_END)
    except (ValueError, LookupError, struct.error, StopIteration):
        return []
    return [(note.at + start, length)]


def _olympus_preview(before: int, layout: tiff.Layout) -> Steps[_Place]:
    notes = yield from tiff.directory(before, layout)
    at = yield from tiff.number(notes.get(_CAMERA_SETTINGS), layout)
    settings = yield from tiff.directory(at, layout)
    return (yield from _place(settings, _PREVIEW_AT, _PREVIEW_BYTES, layout))


def _in_cr3() -> Steps[tuple[list[_Place], bytes]]:
    places: list[_Place] = []
    exif = b""
    at = 0
    for _ in range(_MAX_TOP_BOXES):
        head = yield Span(at, 16 + len(_CANON_PREVIEW))
        if len(head) < 16:
            break
        length, kind = struct.unpack_from(">I4s", head)
        begins = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", head, 8)
            begins = 16
        if kind == b"moov" and length <= _MAX_MOOV_BYTES:
            moov = yield from exactly(at + begins, length - begins)
            places += first_samples(moov)
            exif = _cr3_exif(moov)
        elif kind == b"uuid" and head.startswith(_CANON_PREVIEW, begins):
            told = yield from exactly(at + begins + _CR3_LENGTH_AT, 4)
            places.append((at + begins + _CR3_JPEG_AT, int.from_bytes(told, "big")))
        if length < begins:  # 0 is the last one
            break
        at += length
    return places, exif


def _cr3_exif(moov: bytes) -> bytes:
    """One block of the two that the file has."""
    told = {
        kind: content
        for uuid in _contents(moov, b"uuid")
        if uuid.startswith(_CANON_METADATA)
        for kind, content in boxes(uuid[len(_CANON_METADATA) :])
    }
    main = _values(told.get(b"CMT1", b""), tiff.MAIN_TAGS)
    inner = _values(told.get(b"CMT2", b""), tiff.EXIF_TAGS)
    return tiff.exif_block("<", main, [(tiff.EXIF_IFD, inner)])


def _values(block: bytes, tags: frozenset[int]) -> tiff.Values:
    try:
        return read_from(_of_first_directory(tags), BytesIO(block))
    except (ValueError, struct.error):
        return {}


def _of_first_directory(tags: frozenset[int]) -> Steps[tiff.Values]:
    layout, at = yield from tiff.head()
    if layout != tiff.Layout("<", is_big=False):
        msg = "Canon writes the lower byte first"
        raise ValueError(msg)
    return (yield from tiff.values_of((yield from tiff.directory(at, layout)), tags, layout))


def _contents(data: bytes, wanted: bytes) -> Iterator[bytes]:
    return (content for kind, content in boxes(data) if kind == wanted)
