"""A PNG's header and metadata (PNG specification, third edition); its other chunks are passed over.

What is no part of the picture refuses nothing, however large or damaged it is.
"""

import re
import zlib
from typing import Final

from libs.common.images.reading.steps import (
    MAX_BLOCK_BYTES,
    Found,
    Metadata,
    Span,
    Steps,
    block,
    exactly,
)

_SIGNATURE_BYTES: Final = 8
#: Length, kind and checksum of a chunk.
_FRAME_BYTES: Final = 12
#: Metadata may also come behind the picture, whose chunks are too many to be passed one by one.
_TAIL_BYTES: Final = 256 * 1024
_MAX_CANDIDATES: Final = 100
_EXIF, _TIME, _TEXT = b"eXIf", b"tIME", b"iTXt"
_KNOWN: Final = re.compile(rb"eXIf|tIME|iTXt")
_XMP: Final = b"XML:com.adobe.xmp\0"


def parse() -> Steps[Found]:
    """Return size and metadata; raises ValueError for what does not begin with its header."""
    first = yield from exactly(_SIGNATURE_BYTES, 13 + _FRAME_BYTES)
    if first[:8] != b"\0\0\0\x0dIHDR" or zlib.crc32(first[4:21]) != int.from_bytes(first[21:]):
        msg = "no sound header"
        raise ValueError(msg)
    found: dict[bytes, bytes] = {}
    at = _SIGNATURE_BYTES + len(first)
    while len(head := (yield Span(at, 8))) == 8:
        kind, length = head[4:], int.from_bytes(head[:4])
        if kind in {b"IDAT", b"IEND"}:
            break
        if _KNOWN.fullmatch(kind):
            _add(kind, (yield from block(at + 8, length)), found)
        at += length + _FRAME_BYTES
    tail = b""
    if _EXIF not in found:
        tail = yield Span(-_TAIL_BYTES, _TAIL_BYTES)
    _look_through(tail, found)
    metadata = Metadata(
        exif=found.get(_EXIF, b""), xmp=found.get(_XMP, b""), modified=found.get(_TIME, b"")
    )
    return Found(int.from_bytes(first[8:12]), int.from_bytes(first[12:16]), metadata)


def _add(kind: bytes, content: bytes, found: dict[bytes, bytes]) -> None:
    if kind == _TEXT:
        kind, content = _XMP, _xmp(content)
    if content:
        found.setdefault(kind, content)


def _xmp(content: bytes) -> bytes:
    """Return the packet that a text chunk has; empty where it is another text."""
    rest = content.removeprefix(_XMP)
    if rest == content or len(rest) < 2:
        return b""
    text = rest[2:].split(b"\0", 2)[-1]  # behind language and translated keyword
    if not rest[0]:
        return text
    inflated = zlib.decompressobj()
    try:
        packet = inflated.decompress(text, MAX_BLOCK_BYTES)
    except zlib.error:
        return b""
    return b"" if inflated.unconsumed_tail else packet


def _look_through(tail: bytes, found: dict[bytes, bytes]) -> None:
    """Find the chunks that begin within a file's end: their checksums tell that they are some."""
    for match, _ in zip(_KNOWN.finditer(tail), range(_MAX_CANDIDATES), strict=False):
        start = match.start()
        length = int.from_bytes(tail[max(start - 4, 0) : start])
        end = start + 4 + length
        if end + 4 > len(tail) or length > MAX_BLOCK_BYTES:
            continue
        if zlib.crc32(tail[start:end]) == int.from_bytes(tail[end : end + 4]):
            _add(match[0], tail[start + 4 : end], found)
