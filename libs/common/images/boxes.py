"""The boxes of HEIF files (ISO/IEC 23008-12, also AVIF), as far as several services read them."""

import struct
from collections.abc import Iterator

#: Boxes of one file; a crafted one has millions of empty ones.
MAX_BOXES = 10_000
#: Items and their places of one file; in a crafted one neither takes a byte.
MAX_PLACES = 10_000


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content; raises ValueError and struct.error for what is none."""
    at = 0
    for _ in range(MAX_BOXES):
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


def content_of(found: dict[bytes, bytes], kind: bytes) -> bytes:
    """Return the content of a box that must be there; raises ValueError."""
    if kind not in found:
        msg = f"no {kind!r} box"
        raise ValueError(msg)
    return found[kind]


def item_types(iinf: bytes) -> dict[int, bytes]:
    """Return the types of items by their ids, such as hvc1, av01 or Exif."""
    types: dict[int, bytes] = {}
    for _, infe in boxes(iinf[6 if iinf[0] == 0 else 8 :]):
        id_bytes = 2 if infe[0] == 2 else 4
        types[uint(infe, 4, id_bytes)] = infe[6 + id_bytes : 10 + id_bytes]
    return types


def primary_item(pitm: bytes) -> int:
    """Return the id of the item that is the picture."""
    return uint(pitm, 4, 2 if pitm[0] == 0 else 4)


def associations(ipma: bytes, item: int) -> list[int]:
    """Return the numbers, from 1, of one item's properties in `ipco`."""
    id_bytes = 2 if ipma[0] == 0 else 4
    index_bytes = 2 if ipma[3] & 1 else 1
    at = 8
    for _ in range(uint(ipma, 4, 4)):
        owner, count = uint(ipma, at, id_bytes), ipma[at + id_bytes]
        at += id_bytes + 1
        if owner == item:
            mask = (1 << (8 * index_bytes - 1)) - 1  # the top bit says "essential"
            found = (uint(ipma, at + i * index_bytes, index_bytes) & mask for i in range(count))
            return [index for index in found if index]
        at += count * index_bytes
    return []


def extents(iloc: bytes) -> Iterator[tuple[int, bool, list[tuple[int, int]]]]:
    """Yield each item, whether it lies in `idat` and not in the file, and its places and lengths.

    A length of 0 is all that follows. Raises ValueError for what is cut off, and for more places
    than a file has: their bytes may be none.
    """
    version = iloc[0]
    offset_bytes, length_bytes = iloc[4] >> 4, iloc[4] & 15
    base_bytes, index_bytes = iloc[5] >> 4, iloc[5] & 15 if version else 0
    id_bytes = 4 if version == 2 else 2
    at = 6 + id_bytes
    left = MAX_PLACES
    for _ in range(uint(iloc, 6, id_bytes)):
        item = uint(iloc, at, id_bytes)
        at += id_bytes
        is_inside = bool(version) and uint(iloc, at, 2) & 15 == 1
        at += 4 if version else 2
        base = uint(iloc, at, base_bytes)
        at += base_bytes
        count = uint(iloc, at, 2)
        at += 2
        if count > 1 and index_bytes + offset_bytes + length_bytes == 0:
            msg = f"item {item} lies {count} times in one place"
            raise ValueError(msg)
        left -= 1 + count
        if left < 0:
            msg = f"more than {MAX_PLACES} places of items"
            raise ValueError(msg)
        places = []
        for _ in range(count):
            offset = uint(iloc, at + index_bytes, offset_bytes)
            length = uint(iloc, at + index_bytes + offset_bytes, length_bytes)
            places.append((base + offset, length))
            at += index_bytes + offset_bytes + length_bytes
        yield item, is_inside, places


def first_samples(moov: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the first sample of each track is, and how many bytes it has."""
    for kind, track in boxes(moov):
        if kind != b"trak":
            continue
        table = track
        for inner in (b"mdia", b"minf", b"stbl"):
            table = dict(boxes(table)).get(inner, b"")
        stored = dict(boxes(table))
        if b"stsz" not in stored or not {b"stco", b"co64"} & {*stored}:
            continue
        size = uint(stored[b"stsz"], 4, 4) or uint(stored[b"stsz"], 12, 4)
        chunks, width = (stored[b"stco"], 4) if b"stco" in stored else (stored[b"co64"], 8)
        if size:
            yield uint(chunks, 8, width), size


def uint(data: bytes, at: int, size: int) -> int:
    """Return a number of so many bytes, the highest first; raises ValueError where cut off."""
    if at + size > len(data):
        msg = "box is cut off"
        raise ValueError(msg)
    return int.from_bytes(data[at : at + size], "big")
