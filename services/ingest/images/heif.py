"""The boxes of HEIF (ISO/IEC 23008-12, also AVIF): size, rotation and coding of its picture.

libheif would want the whole file, and is native code.
"""

import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from libs.common.images.av1 import largest_frame
from libs.common.images.boxes import (
    associations,
    boxes,
    content_of,
    extents,
    item_types,
    primary_item,
    uint,
)
from libs.common.images.reading.steps import (
    MAX_BLOCK_BYTES,
    Found,
    Metadata,
    Span,
    Steps,
    exactly,
)

#: Items that are made of others: tiles of a grid, a turned or an overlaid picture.
_DERIVED: Final = frozenset({b"grid", b"iden", b"iovl"})
_FULL_BOX_BYTES: Final = 4
_MAX_META_BYTES: Final = 4 * 1024 * 1024
_AV1: Final = b"av01"


@dataclass(frozen=True, slots=True)
class _Picture:
    """What the primary item's properties say."""

    width: int
    height: int
    decoded: tuple[int, int]
    is_turned: bool


def parse() -> Steps[Found]:
    """Return what the boxes say, wherever they are.

    Raises ValueError, ArithmeticError, LookupError or struct.error for what is not HEIF, or is
    cut off before the end of `meta`.
    """
    start, content = yield from _meta()
    meta = dict(boxes(content[_FULL_BOX_BYTES:]))
    primary = primary_item(content_of(meta, b"pitm"))
    picture = _picture(meta, primary)
    items = item_types(content_of(meta, b"iinf"))
    coding = _coding(meta, items, primary)
    decoded = picture.decoded
    if coding == _AV1:
        coded = yield from _coded_size(start, content)
        decoded = max(decoded, coded, key=math.prod)
    metadata = yield from _metadata(meta, items)
    # EXIF's own orientation does not count in HEIF: the boxes have said it.
    return Found(picture.width, picture.height, metadata, picture.is_turned, decoded, coding)


def _meta() -> Steps[tuple[int, bytes]]:
    """Return where the box with all the others begins, and its content.

    Some phones write it behind the pictures.
    """
    at = 0
    while True:
        head = yield Span(at, 16)
        length, kind = struct.unpack_from(">I4s", head)
        head_bytes = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", head, 8)
            head_bytes = 16
        if kind == b"meta":
            break
        if length < head_bytes:  # 0 is the last one
            msg = f"box {kind!r} is shorter than its head, or the last one"
            raise ValueError(msg)
        at += length
    if length == 0:
        return at, (yield Span(at + head_bytes, _MAX_META_BYTES))
    if not head_bytes <= length <= _MAX_META_BYTES:
        msg = "meta is too short or too long"
        raise ValueError(msg)
    return at, (yield from exactly(at + head_bytes, length - head_bytes))


def _picture(meta: dict[bytes, bytes], primary: int) -> _Picture:
    properties = dict(boxes(content_of(meta, b"iprp")))
    stored = list(boxes(content_of(properties, b"ipco")))
    width = height = 0
    decoded = 0, 0
    is_turned = False
    for index in associations(content_of(properties, b"ipma"), primary):
        kind, content = stored[index - 1]
        if kind == b"ispe":
            width, height = struct.unpack_from(">II", content, 4)
            decoded = max(decoded, (width, height), key=math.prod)
        elif kind == b"clap":  # the coded size is cropped to this; two fractions
            width_n, width_d, height_n, height_d = struct.unpack_from(">IIII", content)
            width, height = width_n // width_d, height_n // height_d
        elif kind == b"irot":
            is_turned = bool(content[0] & 1)  # counted in quarters of a turn
    return _Picture(width, height, decoded, is_turned)


def _coding(meta: dict[bytes, bytes], items: dict[int, bytes], item: int) -> bytes:
    """The item's type; of one that is made of others, the first one's."""
    for _ in range(len(_DERIVED)):
        if items[item] not in _DERIVED:
            break
        item = _first_part(content_of(meta, b"iref"), item)
    return items[item]


def _first_part(iref: bytes, item: int) -> int:
    id_bytes = 2 if iref[0] == 0 else 4
    for kind, reference in boxes(iref[4:]):
        if kind == b"dimg" and uint(reference, 0, id_bytes) == item:
            return uint(reference, id_bytes + 2, id_bytes)
    msg = f"item {item} is made of nothing"
    raise ValueError(msg)


def _coded_size(start: int, content: bytes) -> Steps[tuple[int, int]]:
    """AV1's own word, as far as it is in the file's beginning, or in `meta`."""
    beginning = b""
    if start + len(content) < MAX_BLOCK_BYTES:
        beginning = yield Span(0, MAX_BLOCK_BYTES)
    return largest_frame(beginning or (len(content) + 8).to_bytes(4) + b"meta" + content)


def _metadata(meta: dict[bytes, bytes], items: dict[int, bytes]) -> Steps[Metadata]:
    try:
        lying = {item: (inside, at) for item, inside, at in extents(content_of(meta, b"iloc"))}
    except (ValueError, LookupError):
        return Metadata()
    exif = yield from _first_item(b"Exif", meta, items, lying)
    # Four bytes say how far behind them the TIFF header begins.
    exif = exif[4 + int.from_bytes(exif[:4]) :]
    xmp = yield from _first_item(b"mime", meta, items, lying)
    return Metadata(exif=exif, xmp=xmp if b"<" in xmp[:64] else b"")


def _first_item(
    kind: bytes,
    meta: dict[bytes, bytes],
    items: dict[int, bytes],
    lying: dict[int, tuple[bool, list[tuple[int, int]]]],
) -> Steps[bytes]:
    """Return the content of the first item of this type; empty where it is not whole."""
    is_inside, places = lying.get(_of_type(kind, items), (False, []))
    length = sum(length for _, length in places)
    if not 0 < length <= MAX_BLOCK_BYTES:
        return b""
    pieces = list(_inside(meta.get(b"idat", b""), places)) if is_inside else []
    if not is_inside:
        for start, part in places:
            pieces.append((yield Span(start, part)))
    content = b"".join(pieces)
    return content if len(content) == length else b""


def _of_type(kind: bytes, items: dict[int, bytes]) -> int:
    return next((item for item, found in items.items() if found == kind), -1)


def _inside(idat: bytes, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    return (idat[start : start + length] for start, length in places)
