"""A HEIF's header (ISO/IEC 23008-12), by its boxes.

libheif refuses a file's first megabyte, because the items lie behind it, and it is native code.
All that is needed is the size and rotation of the primary item, and where its EXIF lies.
"""

import struct
from collections.abc import Iterator

from services.ingest.images.exif import ExifFacts, facts_of_bytes

#: Boxes of one file; a crafted one has millions of empty ones.
_MAX_BOXES = 10_000


def parse(prefix: bytes) -> tuple[int, int, ExifFacts]:
    """Return stored width and height (cropped as `clap` says), and EXIF where the prefix holds it.

    Raises ValueError, ArithmeticError, IndexError or struct.error for what is not HEIF, or is
    cut off within `meta`.
    """
    meta = dict(_boxes(_content(dict(_boxes(prefix)), b"meta")[4:]))
    properties = dict(_boxes(_content(meta, b"iprp")))
    stored = list(_boxes(_content(properties, b"ipco")))
    width = height = 0
    is_turned = False
    for index in _associations(_content(properties, b"ipma"), _primary(_content(meta, b"pitm"))):
        kind, content = stored[index - 1]
        if kind == b"ispe":
            width, height = struct.unpack_from(">II", content, 4)
        elif kind == b"clap":  # the coded size is cropped to this; two fractions
            width_n, width_d, height_n, height_d = struct.unpack_from(">IIII", content)
            width, height = width_n // width_d, height_n // height_d
        elif kind == b"irot":
            is_turned = bool(content[0] & 1)  # counted in quarters of a turn
    taken_at = _exif(meta, prefix).taken_at
    # EXIF's own orientation does not count in HEIF: the boxes have said it.
    return width, height, ExifFacts(is_turned=is_turned, taken_at=taken_at)


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


def _exif(meta: dict[bytes, bytes], prefix: bytes) -> ExifFacts:
    try:
        item = _exif_item(_content(meta, b"iinf"))
        offset, length = _extent(_content(meta, b"iloc"), item)
        block = prefix[offset : offset + length]
        if len(block) < length:
            return ExifFacts()
        # Four bytes say how far behind them the TIFF header begins.
        return facts_of_bytes(block[4 + _uint(block, 0, 4) :])
    except (ValueError, IndexError, struct.error):
        return ExifFacts()


def _exif_item(iinf: bytes) -> int:
    for _, infe in _boxes(iinf[6 if iinf[0] == 0 else 8 :]):
        id_bytes = 2 if infe[0] == 2 else 4
        if infe[6 + id_bytes : 10 + id_bytes] == b"Exif":
            return _uint(infe, 4, id_bytes)
    msg = "no EXIF item"
    raise ValueError(msg)


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
