"""TIFF and BigTIFF: the directories and what they say of pixels stay in place, all else is blank.

Nothing moves, so that no offset changes. What no directory that stays refers to is blank as well:
programs that change a TIFF leave what was there before.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from libs.common.images.reading.tiff import BIG, INTEGERS, Layout
from services.media.stripping.pieces import CannotStrip, Copy, only

#: What pixels are, how they lie, what their colours mean, how they are turned, and when the file
#: was made: baseline, extensions, ICC profile (34675).
_KEPT: Final = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284}
    | {290, 291, 292, 293, 296, 297, 301, 306, 317, 318, 319, 320, 321, 322, 323, 324, 325}
    | {332, 334, 336, 338, 339, 340, 341, 529, 530, 531, 532, 34675}
)
_COMPRESSION: Final = 259
#: None, CCITT, LZW, deflate, PackBits, LZMA, Zstandard: those of JPEG may have segments of their
#: own in each strip.
_PLAIN: Final = frozenset({1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000})
#: Offsets and lengths of what holds the pixels: strips or tiles.
_PIXELS: Final = ((273, 279), (324, 325))
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BIG_SIZES: Final = _SIZES | {16: 8, 17: 8, 18: 8}
_MAX_PAGES: Final = 1000


@dataclass(frozen=True, slots=True)
class _Entry:
    tag: int
    type: int
    count: int
    raw: bytes
    #: Where its value is.
    start: int
    end: int
    is_inside: bool


def strip(data: bytes) -> Copy:
    """Raises CannotStrip."""
    order = "<" if data[:2] == b"II" else ">"
    layout = Layout(order, struct.unpack_from(order + "H", data, 2)[0] == BIG)
    head = 16 if layout.is_big else 8
    kept: set[tuple[int, int, bytes | None]] = {(0, head, None)}
    at = struct.unpack_from(layout.number, data, head - struct.calcsize(layout.number))[0]
    seen: set[int] = set()
    while at:
        if at in seen or len(seen) >= _MAX_PAGES:
            msg = "its directories do not end"
            raise CannotStrip(msg)
        seen.add(at)
        at = _keep_directory(data, at, layout, kept)
    return only(data, list(kept))


def _keep_directory(
    data: bytes, at: int, layout: Layout, kept: set[tuple[int, int, bytes | None]]
) -> int:
    """Add a directory with what it refers to; return where the next one is."""
    (number,) = struct.unpack_from(layout.entries, data, at)
    first = at + struct.calcsize(layout.entries)
    entries = [entry for entry in _entries(data, first, number, layout) if entry.tag in _KEPT]
    behind = first + number * layout.entry_bytes
    (following,) = struct.unpack_from(layout.number, data, behind)
    end = behind + struct.calcsize(layout.number)
    told = struct.pack(layout.entries, len(entries)) + b"".join(entry.raw for entry in entries)
    told += struct.pack(layout.number, following)
    kept.add((at, end, told.ljust(end - at, b"\0")))
    for entry in entries:
        if not entry.is_inside:
            kept.add((entry.start, entry.end, None))
    by_tag = {entry.tag: entry for entry in entries}
    compression = _integers(data, by_tag.get(_COMPRESSION), layout)
    if not set(compression) <= _PLAIN:
        msg = "it is compressed as JPEG, or otherwise"
        raise CannotStrip(msg)
    for offsets, lengths in _PIXELS:
        starts = _integers(data, by_tag.get(offsets), layout)
        sizes = _integers(data, by_tag.get(lengths), layout)
        if len(starts) != len(sizes):
            msg = "it does not say how long its strips are"
            raise CannotStrip(msg)
        kept.update(
            (start, start + size, None) for start, size in zip(starts, sizes, strict=True) if size
        )
    return int(following)


def _entries(data: bytes, first: int, number: int, layout: Layout) -> Iterator[_Entry]:
    sizes = _BIG_SIZES if layout.is_big else _SIZES
    width = struct.calcsize(layout.number)
    for index in range(number):
        at = first + index * layout.entry_bytes
        tag, kind = struct.unpack_from(layout.order + "HH", data, at)
        (count,) = struct.unpack_from(layout.number, data, at + 4)
        if tag not in _KEPT:
            continue
        length = sizes[kind] * count
        value = at + 4 + width
        is_inside = length <= width
        start = value if is_inside else struct.unpack_from(layout.number, data, value)[0]
        raw = data[at : at + layout.entry_bytes]
        yield _Entry(tag, kind, count, raw, start, start + length, is_inside)


def _integers(data: bytes, entry: _Entry | None, layout: Layout) -> Sequence[int]:
    if entry is None:
        return ()
    return struct.unpack_from(
        f"{layout.order}{entry.count}{INTEGERS[entry.type]}", data, entry.start
    )
