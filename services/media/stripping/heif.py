"""HEIC and AVIF: the pictures and what is said of their pixels stay in place, all else is blank.

Nothing moves, so that no offset changes. EXIF becomes one that says when the photo was taken.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.media.stripping import exif
from services.media.stripping.pieces import CannotStrip, Copy, only

#: Coded pictures, what is made of others, and gain maps (ISO/IEC 23008-12, ISO 21496-1).
_PICTURES: Final = frozenset({b"hvc1", b"av01", b"grid", b"iden", b"iovl", b"tmap"})
_EXIF: Final = b"Exif"
#: XMP and other texts.
_TEXTS: Final = frozenset({b"mime", b"uri "})
_META: Final = frozenset(
    {b"hdlr", b"pitm", b"iinf", b"iref", b"iprp", b"iloc", b"idat", b"dinf", b"grpl"}
)
_PROPERTIES: Final = frozenset(
    b"ispe pixi hvcC av1C colr irot imir clap pasp auxC clli mdcv cclv rloc lsel a1op a1lx".split()
)
#: EXIF that says nothing.
_NOTHING: Final = b"MM\0*\0\0\0\x08" + bytes(6)
#: In the handler's box, behind what is always the same.
_HDLR_NAME_AT: Final = 24
#: Where it begins and ends in the file, and what is put in its place, if anything.
_Part = tuple[int, int, bytes | None]


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    content: int
    end: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an item lies: in the file, or in the `idat` box."""

    is_in_idat: bool
    extents: tuple[tuple[int, int], ...]


def strip(data: bytes) -> Copy:
    """Raises CannotStrip."""
    boxes = list(_boxes(data, 0, len(data)))
    kinds = [box.kind for box in boxes]
    if kinds[:1] != [b"ftyp"] or kinds.count(b"meta") != 1 or b"moov" in kinds:
        msg = "it is more than one picture"
        raise CannotStrip(msg)
    meta = next(box for box in boxes if box.kind == b"meta")
    kept: set[_Part] = set()
    for box in boxes:
        if box.kind == b"ftyp":
            kept.add((box.start, box.end, None))
        elif box.kind == b"mdat":
            kept.add((box.start, box.content, None))
        elif box.kind != b"meta":
            kept.add((box.start, box.content, _as_free(data, box)))
    described = _Meta(data, meta)
    described.blank_texts()
    kept |= described.elsewhere()
    kept.add((meta.start, meta.end, described.told()))
    return only(data, list(kept))


class _Meta:
    """The box that says what the file holds, in which texts are blanked."""

    def __init__(self, data: bytes, box: _Box) -> None:
        self._data = data
        self._box = box
        self._told = bytearray(data[box.start : box.end])
        self._children = {child.kind: child for child in _boxes(data, box.content + 4, box.end)}

    def told(self) -> bytes:
        """Return the box as it is now, of the same length."""
        return bytes(self._told)

    def blank_texts(self) -> None:
        """Blank what is not known to be about pixels."""
        data, children = self._data, self._children
        for box in _boxes(data, self._box.content + 4, self._box.end):
            if box.kind not in _META:
                self._free(box)
        self._blank(children[b"hdlr"].content + _HDLR_NAME_AT, children[b"hdlr"].end)
        for box in _boxes(data, children[b"iprp"].content, children[b"iprp"].end):
            if box.kind == b"ipco":
                for described in _boxes(data, box.content, box.end):
                    if described.kind not in _PROPERTIES:
                        self._free(described)
            elif box.kind != b"ipma":
                self._free(box)

    def elsewhere(self) -> set[_Part]:
        """Return what is kept outside of this box, and blank in it what is no picture."""
        kept: set[_Part] = set()
        inside: list[tuple[int, int]] = []
        places = _places(self._data, self._children[b"iloc"])
        _check_apart(self._data, places)
        for item, kind in _items(self._data, self._children[b"iinf"]).items():
            if kind not in _PICTURES and kind not in _TEXTS and kind != _EXIF:
                msg = f"it has an item of the kind {kind!r}"
                raise CannotStrip(msg)
            place = places.get(item)
            if place is not None and not place.is_in_idat:
                kept.update(_extents(self._data, place, kind))
            elif place is not None and kind in _PICTURES:
                inside += place.extents
        self._blank_idat_but(inside)
        return kept

    def _blank_idat_but(self, kept: list[tuple[int, int]]) -> None:
        idat = self._children.get(b"idat")
        if idat is None:
            return
        self._blank(idat.content, idat.end)
        for start, end in kept:
            first, last = idat.content + start, idat.content + end
            if last > idat.end:
                msg = "it points beyond its end"
                raise CannotStrip(msg)
            self._put(first, self._data[first:last])

    def _free(self, box: _Box) -> None:
        """Make the box one that readers skip."""
        self._put(box.start, _as_free(self._data, box))
        self._blank(box.content, box.end)

    def _blank(self, start: int, end: int) -> None:
        self._put(start, bytes(max(0, end - start)))

    def _put(self, start: int, data: bytes) -> None:
        at = start - self._box.start
        self._told[at : at + len(data)] = data


def _extents(data: bytes, place: _Place, kind: bytes) -> Iterator[_Part]:
    for number, (start, end) in enumerate(place.extents):
        if kind in _PICTURES:
            yield start, end, None
        elif kind == _EXIF and number == 0:
            yield start, end, _exif(data[start:end])


def _exif(block: bytes) -> bytes:
    """The same length of EXIF, behind the four bytes that say where it begins."""
    before = block[4 + int.from_bytes(block[:4], "big") :]
    for content in (exif.stripped(before, turned=False), _NOTHING):
        if content and 4 + len(content) <= len(block):
            return (bytes(4) + content).ljust(len(block), b"\0")
    return bytes(len(block))


def _as_free(data: bytes, box: _Box) -> bytes:
    """The box's head, as that of one that readers skip."""
    head = data[box.start : box.content]
    return head[:4] + b"free" + head[8:]


def _boxes(data: bytes, at: int, until: int) -> Iterator[_Box]:
    while at < until:
        length, kind = struct.unpack_from(">I4s", data, at)
        content = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, content)
            content += 8
        elif length == 0:  # to the end of the file
            length = until - at
        if length < content - at or at + length > until:
            msg = "a box of it is cut off"
            raise CannotStrip(msg)
        yield _Box(kind, at, content, at + length)
        at += length


def _items(data: bytes, iinf: _Box) -> dict[int, bytes]:
    """The type of each item."""
    found: dict[int, bytes] = {}
    version = data[iinf.content]
    for box in _boxes(data, iinf.content + (6 if version == 0 else 8), iinf.end):
        id_bytes = {2: 2, 3: 4}[data[box.content]]
        at = box.content + 4
        kind_at = at + id_bytes + 2
        found[int.from_bytes(data[at : at + id_bytes], "big")] = data[kind_at : kind_at + 4]
    return found


def _places(data: bytes, iloc: _Box) -> dict[int, _Place]:
    """Where each item lies. Raises CannotStrip for what is not in this file."""
    reader = _Reader(data, iloc.content, iloc.end)
    version = reader.number(1)
    reader.number(3)
    sizes, more = reader.number(1), reader.number(1)
    offset_bytes, length_bytes = sizes >> 4, sizes & 15
    base_bytes, index_bytes = more >> 4, more & 15 if version else 0
    id_bytes = 4 if version == 2 else 2
    places: dict[int, _Place] = {}
    for _ in range(reader.number(id_bytes)):
        item = reader.number(id_bytes)
        method = reader.number(2) & 15 if version else 0
        source, base = reader.number(2), reader.number(base_bytes)
        extents: list[tuple[int, int]] = []
        for _ in range(reader.number(2)):
            reader.number(index_bytes)
            start = base + reader.number(offset_bytes)
            length = reader.number(length_bytes)
            if length == 0:
                msg = "it does not say how long its items are"
                raise CannotStrip(msg)
            extents.append((start, start + length))
        if source != 0 or method > 1:
            msg = "an item of it lies elsewhere"
            raise CannotStrip(msg)
        places[item] = _Place(method == 1, tuple(extents))
    return places


def _check_apart(data: bytes, places: dict[int, _Place]) -> None:
    """Raise CannotStrip, before anything is copied, for more than lies side by side in a file."""
    if sum(end - start for place in places.values() for start, end in place.extents) > len(data):
        msg = "its parts overlap"
        raise CannotStrip(msg)


class _Reader:
    """Reads numbers one after the other, big end first."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data = data
        self._at = at
        self._end = end

    def number(self, size: int) -> int:
        if self._at + size > self._end:
            msg = "a box of it is cut off"
            raise CannotStrip(msg)
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big")
