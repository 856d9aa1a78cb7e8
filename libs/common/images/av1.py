"""How large the pictures of an AVIF file are, by AV1's own word.

The container's is what Pillow and lists go by; a decoder makes what the coded picture says, and
scales it afterwards: 3 KB that the container calls a stamp took 470 MB.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from libs.common.images.boxes import boxes, content_of, extents, first_samples, item_types

#: The units of one file (OBUs); a crafted one has millions of empty ones.
MAX_UNITS: Final = 10_000
_SEQUENCE_HEADER: Final = 1
_FULL_BOX_BYTES: Final = 4
#: Of av1C, before its own units.
_CONFIGURATION_BYTES: Final = 4
#: Where the bytes of one begin, and how many they are; 0 are all that follow.
_Places = list[tuple[int, int]]


def largest_frame(file: bytes) -> tuple[int, int]:
    """Return width and height of the largest picture that the file, or its beginning, announces.

    0, 0 where there is no sequence header in it. Raises ValueError, LookupError or struct.error for
    what is no AVIF, or has the same bytes over and over.
    """
    found = dict(boxes(file))
    meta = dict(boxes(content_of(found, b"meta")[_FULL_BOX_BYTES:]))
    samples = ((file, [place]) for place in first_samples(found.get(b"moov", b"")))
    coded = chain(
        _configurations(meta),
        # Of a sequence it is the first frame that is decoded, not the item.
        _parts(file, chain(_items(file, meta), samples)),
    )
    return max(chain([(0, 0)], _sizes(coded)), key=math.prod)


def _configurations(meta: dict[bytes, bytes]) -> Iterator[bytes]:
    for kind, data in boxes(content_of(dict(boxes(content_of(meta, b"iprp"))), b"ipco")):
        if kind == b"av1C":
            yield data[_CONFIGURATION_BYTES:]


def _parts(file: bytes, pieces: Iterable[tuple[bytes, _Places]]) -> Iterator[bytes]:
    """Yield what lies in each one's places, one after the other: only one of them is held.

    Raises ValueError, before anything is copied, where they are more than a file has.
    """
    budget = 2 * len(file)
    for source, places in pieces:
        spans = [range(len(source))[at : at + length if length else None] for at, length in places]
        budget -= sum(map(len, spans))
        if budget < 0:
            msg = "items lie over one another"
            raise ValueError(msg)
        yield b"".join(source[span.start : span.stop] for span in spans)


def _items(file: bytes, meta: dict[bytes, bytes]) -> Iterator[tuple[bytes, _Places]]:
    types = item_types(content_of(meta, b"iinf"))
    for item, is_inside, places in extents(content_of(meta, b"iloc")):
        if types.get(item) == b"av01":
            yield meta.get(b"idat", b"") if is_inside else file, places


def _sizes(coded: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the size of each sequence header (AV1 bitstream specification, 5.3 to 5.5)."""
    seen = 0
    for units in coded:
        at = 0
        while at < len(units):
            seen += 1
            if seen > MAX_UNITS:
                msg = "too many units"
                raise ValueError(msg)
            head = units[at]
            at += 2 if head & 0b100 else 1
            length = len(units) - at
            if head & 0b10:
                length, at = _leb128(units, at)
            if head >> 3 & 0b1111 == _SEQUENCE_HEADER and (size := _size(units[at : at + length])):
                yield size
            at += length


def _leb128(units: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 56, 7):
        byte = units[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return value, at


def _size(header: bytes) -> tuple[int, int] | None:
    """Return the largest frame; None where the prefix of a file ends within the header."""
    bits = _Bits(header)
    try:
        bits.take(4)  # profile, still_picture
        if bits.take(1):  # reduced_still_picture_header
            bits.take(5)
        else:
            _skip_operating_points(bits)
        width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
        return bits.take(width_bits) + 1, bits.take(height_bits) + 1
    except EOFError:
        return None


def _skip_operating_points(bits: "_Bits") -> None:
    delay_bits = 0
    if bits.take(1):  # timing_info
        bits.take(64)
        if bits.take(1):  # equal_picture_interval
            bits.skip_uvlc()
        if bits.take(1):  # decoder_model_info
            delay_bits = bits.take(5) + 1
            bits.take(42)
    has_display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:  # levels from 4.0 on have a tier
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if has_display_delay and bits.take(1):
            bits.take(4)


class _Bits:
    """Takes numbers off the front, the highest bit first; raises EOFError at the end."""

    def __init__(self, data: bytes) -> None:
        # A sequence header is some dozen bytes; what follows is not looked at.
        self._left = min(len(data), 512) * 8
        self._value = int.from_bytes(data[:512], "big")

    def take(self, count: int) -> int:
        if count > self._left:
            raise EOFError
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def skip_uvlc(self) -> None:
        zeros = 0
        while not self.take(1):
            zeros += 1
        if zeros < 32:
            self.take(zeros)
