"""The headers of WebP and HEIF by their chunks and boxes, and the two facts of EXIF lists need.

RFC 9649 and ISO/IEC 23008-12, the latter also for AVIF.

Pillow's reader of WebP would need the whole file. libheif refuses a file's first megabyte, because
the items lie behind it, and it is native code. What is malformed in EXIF is as good as absent.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from PIL.ExifTags import IFD, Base
from PIL.Image import Exif

#: Orientations 5 to 8 exchange width and height.
_TURNED = range(5, 9)
_RIFF_HEADER_BYTES = 12
_CHUNK_HEADER_BYTES = 8
#: Boxes of one file; a crafted one has millions of empty ones.
_MAX_BOXES = 10_000
#: Items that are made of others: tiles of a grid, a turned or an overlaid picture.
_DERIVED = frozenset({b"grid", b"iden", b"iovl"})


@dataclass(frozen=True, slots=True)
class ExifFacts:
    """Whether the image is stored lying on its side, and the camera's clock when it was taken."""

    is_turned: bool = False
    taken_at: datetime | None = None


def facts_of(exif: Exif) -> ExifFacts:
    """Return what is known; never raises."""
    return ExifFacts(
        is_turned=exif.get(Base.Orientation) in _TURNED,
        taken_at=_moment(_taken_text(exif)),
    )


def facts_of_bytes(data: bytes) -> ExifFacts:
    """The same of EXIF as it lies in a file; never raises."""
    exif = Exif()
    try:
        exif.load(data)
    except Exception:  # noqa: BLE001 - a damaged block says nothing of the image
        return ExifFacts()
    return facts_of(exif)


def _taken_text(exif: Exif) -> object:
    try:
        return exif.get_ifd(IFD.Exif).get(Base.DateTimeOriginal)
    except Exception:  # noqa: BLE001 - a damaged block says nothing of the image
        return None


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        # A camera's clock knows no time zone.
        return datetime.strptime(text.strip(" \0"), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007
    except ValueError:
        return None


def parse_webp(prefix: bytes) -> tuple[int, int, ExifFacts]:
    """Return stored width and height, and EXIF where it lies within the prefix.

    Raises ValueError or struct.error for what is not WebP.
    """
    size: tuple[int, int] | None = None
    facts = ExifFacts()
    for kind, content in _chunks(prefix):
        if size is None:
            size = _size(kind, content)
        if kind == b"EXIF":
            facts = facts_of_bytes(content)
    if size is None:
        msg = "no image chunk"
        raise ValueError(msg)
    return *size, facts


def _size(kind: bytes, content: bytes) -> tuple[int, int]:
    if kind == b"VP8X":
        return _uint24(content, 4) + 1, _uint24(content, 7) + 1
    if kind == b"VP8L" and content[:1] == b"\x2f":
        (bits,) = struct.unpack_from("<I", content, 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and content[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", content, 6)
        return width & 0x3FFF, height & 0x3FFF  # the upper two bits are a scaling hint
    msg = f"first chunk {kind!r}"
    raise ValueError(msg)


def _chunks(prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _RIFF_HEADER_BYTES
    while at + _CHUNK_HEADER_BYTES <= len(prefix):
        kind, length = struct.unpack_from("<4sI", prefix, at)
        start = at + _CHUNK_HEADER_BYTES
        yield kind, prefix[start : start + length]
        at = start + length + (length & 1)


def _uint24(content: bytes, at: int) -> int:
    if len(content) < at + 3:
        msg = "chunk cut off"
        raise ValueError(msg)
    return int.from_bytes(content[at : at + 3], "little")


@dataclass(frozen=True, slots=True)
class HeifHeader:
    """Stored width and height (cropped as `clap` says), and EXIF where the prefix holds it.

    `coding` is the primary picture's item type, or its tiles': hvc1, av01, …
    """

    width: int
    height: int
    coding: bytes
    facts: ExifFacts


def parse_heif(prefix: bytes) -> HeifHeader:
    """Read the boxes before the picture: size, rotation and coding of the primary item, and EXIF.

    Raises ValueError, ArithmeticError, LookupError or struct.error for what is not HEIF, or is
    cut off within `meta`.
    """
    meta = dict(_boxes(_content(dict(_boxes(prefix)), b"meta")[4:]))
    properties = dict(_boxes(_content(meta, b"iprp")))
    stored = list(_boxes(_content(properties, b"ipco")))
    primary = _primary(_content(meta, b"pitm"))
    width = height = 0
    is_turned = False
    for index in _associations(_content(properties, b"ipma"), primary):
        kind, content = stored[index - 1]
        if kind == b"ispe":
            width, height = struct.unpack_from(">II", content, 4)
        elif kind == b"clap":  # the coded size is cropped to this; two fractions
            width_n, width_d, height_n, height_d = struct.unpack_from(">IIII", content)
            width, height = width_n // width_d, height_n // height_d
        elif kind == b"irot":
            is_turned = bool(content[0] & 1)  # counted in quarters of a turn
    items = _item_types(_content(meta, b"iinf"))
    taken_at = _exif(meta, items, prefix).taken_at
    # EXIF's own orientation does not count in HEIF: the boxes have said it.
    facts = ExifFacts(is_turned=is_turned, taken_at=taken_at)
    return HeifHeader(width, height, _coding(meta, items, primary), facts)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(_MAX_BOXES):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        elif length == 0:  # to the end of the file
            length = len(data) - at
        if length < start - at:
            msg = f"box {kind!r} is shorter than its head"
            raise ValueError(msg)
        yield kind, data[start : at + length]
        at += length


def _content(boxes: dict[bytes, bytes], kind: bytes) -> bytes:
    if kind not in boxes:
        msg = f"no {kind!r} box"
        raise ValueError(msg)
    return boxes[kind]


def _primary(pitm: bytes) -> int:
    return _uint(pitm, 4, 2 if pitm[0] == 0 else 4)


def _associations(ipma: bytes, item: int) -> list[int]:
    """The property numbers, from 1, of one item."""
    id_bytes = 2 if ipma[0] == 0 else 4
    index_bytes = 2 if ipma[3] & 1 else 1
    at = 8
    for _ in range(_uint(ipma, 4, 4)):
        owner, count = _uint(ipma, at, id_bytes), ipma[at + id_bytes]
        at += id_bytes + 1
        if owner == item:
            mask = (1 << (8 * index_bytes - 1)) - 1  # the top bit says "essential"
            found = (_uint(ipma, at + i * index_bytes, index_bytes) & mask for i in range(count))
            return [index for index in found if index]
        at += count * index_bytes
    return []


def _item_types(iinf: bytes) -> dict[int, bytes]:
    types: dict[int, bytes] = {}
    for _, infe in _boxes(iinf[6 if iinf[0] == 0 else 8 :]):
        id_bytes = 2 if infe[0] == 2 else 4
        types[_uint(infe, 4, id_bytes)] = infe[6 + id_bytes : 10 + id_bytes]
    return types


def _coding(meta: dict[bytes, bytes], items: dict[int, bytes], item: int) -> bytes:
    """The item's type; of one that is made of others, the first one's."""
    for _ in range(len(_DERIVED)):
        if items[item] not in _DERIVED:
            break
        item = _first_part(_content(meta, b"iref"), item)
    return items[item]


def _first_part(iref: bytes, item: int) -> int:
    id_bytes = 2 if iref[0] == 0 else 4
    for kind, reference in _boxes(iref[4:]):
        if kind == b"dimg" and _uint(reference, 0, id_bytes) == item:
            return _uint(reference, id_bytes + 2, id_bytes)
    msg = f"item {item} is made of nothing"
    raise ValueError(msg)


def _exif(meta: dict[bytes, bytes], items: dict[int, bytes], prefix: bytes) -> ExifFacts:
    try:
        item = next(item for item, kind in items.items() if kind == b"Exif")
        offset, length = _extent(_content(meta, b"iloc"), item)
        block = prefix[offset : offset + length]
        if len(block) < length:
            return ExifFacts()
        # Four bytes say how far behind them the TIFF header begins.
        return facts_of_bytes(block[4 + _uint(block, 0, 4) :])
    except (StopIteration, ValueError, IndexError, struct.error):
        return ExifFacts()


def _extent(iloc: bytes, item: int) -> tuple[int, int]:
    """File offset and length of an item's first extent."""
    version = iloc[0]
    offset_bytes, length_bytes = iloc[4] >> 4, iloc[4] & 15
    base_bytes, index_bytes = iloc[5] >> 4, iloc[5] & 15 if version else 0
    id_bytes = 4 if version == 2 else 2
    at = 6 + id_bytes
    for _ in range(_uint(iloc, 6, id_bytes)):
        found = _uint(iloc, at, id_bytes)
        at += id_bytes + (4 if version else 2)
        base = _uint(iloc, at, base_bytes)
        at += base_bytes
        count = _uint(iloc, at, 2)
        at += 2
        if found == item:
            offset = _uint(iloc, at + index_bytes, offset_bytes)
            return base + offset, _uint(iloc, at + index_bytes + offset_bytes, length_bytes)
        at += count * (index_bytes + offset_bytes + length_bytes)
    msg = "item has no place"
    raise ValueError(msg)


def _uint(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        msg = "box is cut off"
        raise ValueError(msg)
    return int.from_bytes(data[at : at + size], "big")
