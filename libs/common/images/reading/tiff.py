"""A TIFF's first directory (TIFF 6.0, and BigTIFF), wherever it is in the file.

Of what it says only the little is read that is asked for: others keep whole layers of a picture in
it. What is of EXIF becomes a block of its own, small, as other formats have it.
"""

import struct
from dataclasses import dataclass
from typing import Final

from libs.common.images.reading.steps import Found, Metadata, Span, Steps, block, exactly

_WIDTH, _HEIGHT = 256, 257
_XMP, _IPTC = 700, 33723
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
#: Sample formats: unsigned numbers, and "undefined", which are these.
_UNSIGNED: Final = frozenset({1, 4})
_MAX_BITS: Final = 16
#: Gray in both senses, RGB, palette, mask, CMYK, YCbCr.
_SHOWN_COLOURS: Final = frozenset({0, 1, 2, 3, 4, 5, 6})
EXIF_IFD, _GPS_IFD = 34665, 34853
#: The version that BigTIFF has.
BIG: Final = 43
_SIZES: Final = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}
#: Whole numbers, by type, as `struct` has them.
INTEGERS: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_LONG: Final = 4
#: Kind of file, make, model, orientation, clock, whether it is a DNG.
MAIN_TAGS: Final = frozenset({254, 271, 272, 274, 306, 50706})
#: When it was taken and by which camera.
EXIF_TAGS: Final = frozenset(
    {36867, 36868, 36880, 36881, 36882, 37520, 37521, 37522, 42032, 42033, 42037}
)
_GPS_TAGS: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 29})
_MAX_ENTRIES: Final = 4096
_MAX_VALUE_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte order, and the lengths that BigTIFF has doubled."""

    order: str
    is_big: bool

    @property
    def number(self) -> str:
        return self.order + ("Q" if self.is_big else "I")

    @property
    def number_bytes(self) -> int:
        return 8 if self.is_big else 4

    @property
    def entry_bytes(self) -> int:
        return 20 if self.is_big else 12

    @property
    def entries(self) -> str:
        """How many there are, before them."""
        return self.order + ("Q" if self.is_big else "H")


@dataclass(frozen=True, slots=True)
class Entry:
    """A tag's value: its type, how many of it there are, and how many bytes they take."""

    type: int
    count: int
    length: int
    #: Where its value is, in the file.
    at: int


Values = dict[int, tuple[int, int, bytes]]  # type, count and bytes by tag


def parse() -> Steps[Found]:
    """Return size and metadata; raises ValueError or struct.error for what is no TIFF."""
    layout, at = yield from head()
    main = yield from directory(at, layout)
    width = yield from number(main.get(_WIDTH), layout)
    height = yield from number(main.get(_HEIGHT), layout)
    exif = yield from exif_of(main, layout)
    xmp = yield from _block(main.get(_XMP))
    iptc = yield from _block(main.get(_IPTC))
    oddity = yield from _oddity(main, layout)
    return Found(width, height, Metadata(exif, xmp, iptc), oddity=oddity)


def _oddity(main: dict[int, Entry], layout: Layout) -> Steps[str | None]:
    """Of numbers with a point or a sign it says nowhere what is white."""
    formats = yield from numbers(main.get(_SAMPLE_FORMAT), layout)
    bits = yield from numbers(main.get(_BITS), layout)
    colours = yield from numbers(main.get(_PHOTOMETRIC), layout)
    if not _UNSIGNED.issuperset(formats):
        return "with floating-point or signed numbers"
    if max(bits, default=1) > _MAX_BITS:
        return f"with more than {_MAX_BITS} bits a channel"
    return None if _SHOWN_COLOURS.issuperset(colours) else "in Lab, or other colours for machines,"


def head() -> Steps[tuple[Layout, int]]:
    """Return how it is written, and where its first directory is."""
    told = yield Span(0, 16)
    order = "<" if told[:2] == b"II" else ">"
    layout = Layout(order, struct.unpack_from(order + "H", told, 2)[0] == BIG)
    (at,) = struct.unpack_from(layout.number, told, 8 if layout.is_big else 4)
    return layout, at


def exif_of(main: dict[int, Entry], layout: Layout) -> Steps[bytes]:
    """Return what a first directory says that is of EXIF, as a block of its own."""
    values = yield from values_of(main, MAIN_TAGS, layout)
    inner = [
        (EXIF_IFD, (yield from _inner(main.get(EXIF_IFD), EXIF_TAGS, layout))),
        (_GPS_IFD, (yield from _inner(main.get(_GPS_IFD), _GPS_TAGS, layout))),
    ]
    return exif_block(layout.order, values, inner)


def directory(at: int, layout: Layout) -> Steps[dict[int, Entry]]:
    """Return the entries by tag, whose types are known."""
    count_bytes = struct.calcsize(layout.entries)
    (count,) = struct.unpack(layout.entries, (yield from exactly(at, count_bytes)))
    if not 0 < count <= _MAX_ENTRIES:
        msg = f"{count} entries"
        raise ValueError(msg)
    first = at + count_bytes
    table = yield Span(first, count * layout.entry_bytes)
    found: dict[int, Entry] = {}
    for start in range(0, len(table) - layout.entry_bytes + 1, layout.entry_bytes):
        tag, kind = struct.unpack_from(layout.order + "HH", table, start)
        (values,) = struct.unpack_from(layout.number, table, start + 4)
        inside = start + 4 + layout.number_bytes
        if kind in _SIZES and tag not in found:
            length = _SIZES[kind] * values
            (outside,) = struct.unpack_from(layout.number, table, inside)
            is_inside = length <= layout.number_bytes
            found[tag] = Entry(kind, values, length, first + inside if is_inside else outside)
    return found


def following(at: int, layout: Layout) -> Steps[int]:
    """Return where the directory behind the one at this place is, 0 where there is none."""
    count_bytes = struct.calcsize(layout.entries)
    (count,) = struct.unpack(layout.entries, (yield from exactly(at, count_bytes)))
    behind = at + count_bytes + count * layout.entry_bytes
    data = yield from exactly(behind, layout.number_bytes)
    return int(struct.unpack(layout.number, data)[0])


def number(entry: Entry | None, layout: Layout) -> Steps[int]:
    """Return the first value, a whole number; raises ValueError."""
    if entry is None or entry.type not in INTEGERS or not entry.count:
        msg = "a number is missing"
        raise ValueError(msg)
    data = yield from exactly(entry.at, _SIZES[entry.type])
    return int(struct.unpack(layout.order + INTEGERS[entry.type], data)[0])


def numbers(entry: Entry | None, layout: Layout) -> Steps[tuple[int, ...]]:
    """Return all values, where they are whole numbers and not too many."""
    if entry is None or entry.type not in INTEGERS or entry.length > _MAX_VALUE_BYTES:
        return ()
    data = yield from exactly(entry.at, entry.length)
    return struct.unpack(f"{layout.order}{entry.count}{INTEGERS[entry.type]}", data)


def values_of(entries: dict[int, Entry], tags: frozenset[int], layout: Layout) -> Steps[Values]:
    """Return the bytes of these tags' values, without those that are too long."""
    found: Values = {}
    for tag in sorted(tags & entries.keys()):
        entry = entries[tag]
        if 0 < entry.length <= _MAX_VALUE_BYTES:
            data = yield Span(entry.at, entry.length)
            if len(data) == entry.length:
                found[tag] = entry.type, entry.count, data
    return found


def _inner(entry: Entry | None, tags: frozenset[int], layout: Layout) -> Steps[Values]:
    """Return what a directory says that the first one refers to; nothing where it is damaged."""
    try:
        at = yield from number(entry, layout)
        return (yield from values_of((yield from directory(at, layout)), tags, layout))
    except (ValueError, struct.error):
        return {}


def _block(entry: Entry | None) -> Steps[bytes]:
    return (yield from block(entry.at, entry.length)) if entry else b""


def exif_block(order: str, main: Values, inner: list[tuple[int, Values]]) -> bytes:
    """Return these values as a TIFF without a picture."""
    mark = b"II" if order == "<" else b"MM"
    data = mark + struct.pack(order + "HI", 42, 8)
    pointers = [tag for tag, values in inner if values]
    begins = len(data) + _directory_bytes(main) + 12 * len(pointers)
    behind = b""
    for tag, values in inner:
        if values:
            main[tag] = _LONG, 1, struct.pack(order + "I", begins + len(behind))
            behind += _told(values, begins + len(behind), order)
    return data + _told(main, len(data), order) + behind


def _directory_bytes(values: Values) -> int:
    return 6 + sum(12 + (_padded(data) if len(data) > 4 else 0) for _, _, data in values.values())


def _padded(data: bytes) -> int:
    return len(data) + len(data) % 2


def _told(values: Values, at: int, order: str) -> bytes:
    """Return a directory that lies at this place, and its values behind it."""
    table, behind = struct.pack(order + "H", len(values)), b""
    ends = at + 6 + 12 * len(values)
    for tag, (kind, count, data) in sorted(values.items()):
        table += struct.pack(order + "HHI", tag, kind, count)
        if len(data) > 4:
            table += struct.pack(order + "I", ends + len(behind))
            behind += data.ljust(_padded(data), b"\0")
        else:
            table += data.ljust(4, b"\0")
    return table + bytes(4) + behind
