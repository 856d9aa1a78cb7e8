"""The chunks of WebP (RFC 9649). EXIF comes behind the picture there."""

import struct
from typing import Final

from libs.common.images.reading.steps import Found, Metadata, Span, Steps, block, exactly

_RIFF_HEADER_BYTES: Final = 12
_CHUNK_HEADER_BYTES: Final = 8
#: Of a chunk, as much as tells the size.
_SIZE_BYTES: Final = 10
_EXIF, _XMP = b"EXIF", b"XMP "
#: Where VP8X says that they are there.
_FLAGS: Final = {_EXIF: 0x08, _XMP: 0x04}
_EXIF_HEAD: Final = b"Exif\0\0"


def parse() -> Steps[Found]:
    """Return size and metadata; raises ValueError or struct.error for what is not WebP."""
    at = _RIFF_HEADER_BYTES
    head = yield from exactly(at, _CHUNK_HEADER_BYTES)
    kind, length = struct.unpack("<4sI", head)
    content = yield Span(at + _CHUNK_HEADER_BYTES, min(length, _SIZE_BYTES))
    width, height = _size(kind, content)
    blocks: dict[bytes, bytes] = {}
    if kind == b"VP8X":
        awaited = {name for name, flag in _FLAGS.items() if content[0] & flag}
        blocks = yield from _blocks(at + _CHUNK_HEADER_BYTES + length + (length & 1), awaited)
    exif = blocks.get(_EXIF, b"").removeprefix(_EXIF_HEAD)
    return Found(width, height, Metadata(exif, blocks.get(_XMP, b"")))


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


def _uint24(content: bytes, at: int) -> int:
    if len(content) < at + 3:
        msg = "chunk cut off"
        raise ValueError(msg)
    return int.from_bytes(content[at : at + 3], "little")


def _blocks(at: int, awaited: set[bytes]) -> Steps[dict[bytes, bytes]]:
    """Return the first chunk of each kind that is awaited."""
    found: dict[bytes, bytes] = {}
    while awaited and len(head := (yield Span(at, _CHUNK_HEADER_BYTES))) == _CHUNK_HEADER_BYTES:
        kind, length = struct.unpack("<4sI", head)
        at += _CHUNK_HEADER_BYTES
        if kind in awaited:
            awaited = awaited - {kind}
            found[kind] = yield from block(at, length)
        at += length + (length & 1)
    return found
