"""HEIC and AVIF files of boxes that no camera writes."""

import struct
import tracemalloc
from collections.abc import Callable, Sequence

#: Bytes of numbers within `iloc`: of offsets, lengths, bases, and indexes.
Widths = tuple[int, int, int, int]


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full_box(kind: bytes, *contents: bytes) -> bytes:
    return box(kind, bytes(4), *contents)


def iloc(widths: Widths, items: Sequence[tuple[int, int, bytes]], *, version: int = 0) -> bytes:
    """Of items: the id, how many extents are claimed, and their bytes."""
    offset, length, base, index = widths
    return box(
        b"iloc",
        bytes([version, 0, 0, 0, offset << 4 | length, base << 4 | index]),
        struct.pack(">H", len(items)),
        *(
            struct.pack(">H", item)
            + bytes(2 * (version > 0) + 2 + base)
            + struct.pack(">H", count)
            + places
            for item, count, places in items
        ),
    )


def crafted_heif(
    places: bytes,
    *,
    coding: bytes = b"hvc1",
    items: int = 1,
    after: bytes = b"",
    configuration: bytes = b"",
) -> bytes:
    """Return a file whose first items are pictures, the one after them EXIF."""
    kinds = [coding] * items + [b"Exif"]
    entries = [
        box(b"infe", bytes([2, 0, 0, 0]), struct.pack(">HH4s", number, 0, kind))
        for number, kind in enumerate(kinds, 1)
    ]
    size = full_box(b"ispe", struct.pack(">II", 64, 48))
    return (
        box(b"ftyp", b"avif" if coding == b"av01" else b"heic", bytes(4), b"mif1")
        + full_box(
            b"meta",
            full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", struct.pack(">H", 1)),
            full_box(b"iinf", struct.pack(">H", len(kinds)), *entries),
            box(
                b"iprp",
                box(b"ipco", size, configuration),
                full_box(b"ipma", struct.pack(">IHBB", 1, 1, 1, 1)),
            ),
            places,
        )
        + after
    )


def peak_bytes(act: Callable[[], object]) -> int:
    """Return how much memory is held at most while it acts."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
