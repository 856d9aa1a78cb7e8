"""A PNG that is cut off or damaged, made whole with what there is.

By the PNG specification, third edition. libpng gives up at the first fault, and leaves whatever
was in memory in the place of lines that are missing; here they are zeros.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES: Final = 13
#: Samples of a pixel by the type of colour.
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: Adam7: where each pass begins, and its steps, across and down.
_PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_DEPTHS: Final = frozenset({1, 2, 4, 8, 16})
#: Each costs a microsecond, even where no data are left: pictures of people have no more.
_MAX_LINES: Final = 200_000
_FILTERS: Final = 5
#: Without these the picture would look otherwise. A profile that is damaged says nothing.
_KEPT: Final = frozenset({b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"eXIf"})
_MAX_KEPT_BYTES: Final = 16 * 1024 * 1024
_MAX_CHUNKS: Final = 1_000_000
_PIECE_BYTES: Final = 64**3
#: So many times smaller are the steps to a fault, three times.
_FINER: Final = 64


@dataclass(frozen=True, slots=True)
class Mended:
    """A whole PNG, and the share of the picture (0..1) that is missing in it."""

    content: bytes
    missing: float
    #: Whether the data are not as they were written: lines that are there may look wrong.
    is_wrong: bool


def mend(file: BinaryIO, max_pixels: int) -> Mended:
    """Return the picture with zeros for what cannot be read.

    Raises ValueError without a header, or where it says more pixels than that. Holds the
    compressed picture and a line of it.
    """
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        msg = "no signature"
        raise ValueError(msg)
    kind, length = _head(file)
    header = file.read(_HEADER_BYTES)
    if kind != b"IHDR" or length != _HEADER_BYTES or len(header) < _HEADER_BYTES:
        msg = "no header"
        raise ValueError(msg)
    if file.read(4) != struct.pack(">I", zlib.crc32(kind + header)):
        msg = "a damaged header"
        raise ValueError(msg)
    lines = _Lines(header, max_pixels)
    packing = zlib.compressobj(1)
    content = bytearray(_SIGNATURE + _chunk(b"IHDR", header))
    packed = bytearray()
    there = whole = 0
    data = _inflated(file, content)
    for line_bytes in lines:
        whole += line_bytes
        line = data.read(line_bytes)
        if len(line) == line_bytes and line[0] < _FILTERS:
            there += line_bytes
        else:
            data.end()
            line = bytes(line_bytes)
        packed += packing.compress(line)
    packed += packing.flush()
    content += _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    return Mended(bytes(content), 1 - there / whole, data.is_wrong)


class _Lines:
    """How many bytes each line of the picture has, in the order in which they come."""

    def __init__(self, header: bytes, max_pixels: int) -> None:
        self._width, self._height, depth, colour, _, _, interlaced = struct.unpack(
            ">IIBBBBB", header
        )
        if self._width * self._height > max_pixels:
            msg = "too many pixels"
            raise ValueError(msg)
        is_known = colour in _CHANNELS and depth in _DEPTHS
        if not is_known or not self._width or not 0 < self._height <= _MAX_LINES:
            msg = "no such picture"
            raise ValueError(msg)
        self._bits = depth * _CHANNELS[colour]
        self._passes = _PASSES if interlaced else ((0, 0, 1, 1),)

    def __iter__(self) -> Iterator[int]:
        for left, top, across, down in self._passes:
            columns = -(-(self._width - left) // across)
            if columns > 0:
                for _ in range(top, self._height, down):
                    yield 1 + (columns * self._bits + 7) // 8


class _Inflated:
    """The bytes of a compressed stream, as far as they can be read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._inflating = zlib.decompressobj()
        self._ready = bytearray()
        self._at = 0  # what comes before it has been read
        self._has_ended = False
        self.is_wrong = False

    def end(self) -> None:
        """Read no more."""
        self._has_ended = True
        self._ready.clear()

    def read(self, length: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        while len(self._ready) - self._at < length and not self._has_ended:
            del self._ready[: self._at]
            self._at = 0
            self._ready += self._next()
        found = bytes(self._ready[self._at : self._at + length])
        self._at += len(found)
        return found

    def _next(self) -> bytes:
        packed = self._inflating.unconsumed_tail or next(self._pieces, b"")
        if not packed or self._inflating.eof:
            self._has_ended = True
            return b""
        before = self._inflating.copy()
        try:
            return self._inflating.decompress(packed, _PIECE_BYTES)
        except zlib.error:
            self._has_ended = self.is_wrong = True
            return _before_the_fault(before, packed, _PIECE_BYTES // _FINER)


def _before_the_fault(inflating: "zlib._Decompress", packed: bytes, step_bytes: int) -> bytes:
    """Return what there is in front of a fault: zlib keeps to itself what it has when it fails."""
    parts: list[bytes] = []
    at = 0
    while not inflating.eof:
        before = inflating.copy()
        step = packed[at : at + step_bytes]
        try:
            part = inflating.decompress(step, step_bytes)
        except zlib.error:
            if step_bytes > 1:
                parts.append(_before_the_fault(before, step, step_bytes // _FINER))
            break
        taken = len(step) - len(inflating.unconsumed_tail)
        if not part and not taken:
            break
        parts.append(part)
        at += taken
    return b"".join(parts)


def _inflated(file: BinaryIO, content: bytearray) -> _Inflated:
    return _Inflated(_data(file, content))


def _data(file: BinaryIO, content: bytearray) -> Iterator[bytes]:
    """Yield the picture's data; what comes before it and is needed goes to `content`."""
    is_in_picture = False
    for _ in range(_MAX_CHUNKS):
        kind, length = _head(file)
        if not kind or kind == b"IEND":
            return
        if kind == b"IDAT":
            is_in_picture = True
            while length and (piece := file.read(min(length, _PIECE_BYTES))):
                length -= len(piece)
                yield piece
            file.seek(4, 1)
        elif not is_in_picture and kind in _KEPT and length + len(content) <= _MAX_KEPT_BYTES:
            found = file.read(length)
            if file.read(4) == struct.pack(">I", zlib.crc32(kind + found)):
                content += _chunk(kind, found)
        else:
            file.seek(length + 4, 1)


def _head(file: BinaryIO) -> tuple[bytes, int]:
    head = file.read(8)
    return (head[4:], int.from_bytes(head[:4])) if len(head) == 8 else (b"", 0)


def _chunk(kind: bytes, content: bytes | bytearray) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
    )
