"""A WebP's header (RFC 9649), by its chunks: Pillow's reader would need the whole file."""

import struct
from collections.abc import Iterator

from services.ingest.images.exif import ExifFacts, facts_of_bytes

_RIFF_HEADER_BYTES = 12
_CHUNK_HEADER_BYTES = 8


def parse(prefix: bytes) -> tuple[int, int, ExifFacts]:
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
