"""PNG, WebP and GIF: the chunks that a picture is made of; all others go."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from services.media.stripping import exif
from services.media.stripping.pieces import CannotStrip, Copy, Pieces

_PNG_HEAD_BYTES: Final = 8
#: What the picture is made of, and what its colours, size and movement are (PNG, third edition).
_PNG_KEPT: Final = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT"
    b" acTL fcTL fdAT".split()
)
_WEBP_KEPT: Final = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_FRAME: Final = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_WEBP_FRAME_HEAD_BYTES: Final = 16
_HAS_EXIF, _HAS_XMP = 0x08, 0x04
#: How often a film is repeated; other applications' extensions may say anything.
_GIF_KEPT: Final = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")


def strip_png(data: bytes) -> Copy:
    """Raises CannotStrip."""
    pieces = Pieces(data)
    pieces.keep(0, _PNG_HEAD_BYTES)
    block = next((data[s + 8 : e - 4] for kind, s, e in _png_chunks(data) if kind == b"eXIf"), b"")
    for kind, start, end in _png_chunks(data):
        if kind in _PNG_KEPT:
            pieces.keep(start, end)
        elif kind[:1].isupper():
            msg = f"its critical chunk {kind!r} is not known"
            raise CannotStrip(msg)
        if kind == b"IHDR" and (content := exif.stripped(block)):
            head = struct.pack(">I", len(content))
            told = b"eXIf" + content
            pieces.put(head + told + struct.pack(">I", zlib.crc32(told)))
    return pieces.copy()


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of each, up to the last one: what follows is no picture."""
    at = _PNG_HEAD_BYTES
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end
    msg = "it is cut off"
    raise CannotStrip(msg)


def strip_webp(data: bytes) -> Copy:
    """Raises CannotStrip."""
    chunks = list(_riff_chunks(data, 12, len(data)))
    block = next((data[s + 8 : e] for kind, s, e in chunks if kind == b"EXIF"), b"")
    content = exif.stripped(block.removeprefix(b"Exif\0\0"))
    pieces = Pieces(data)
    length = 4
    body: list[tuple[int, int] | bytes] = []
    is_extended = False
    for kind, start, end in chunks:
        if kind == b"VP8X":
            is_extended = True
            flags = data[start + 8] & ~(_HAS_EXIF | _HAS_XMP) | (_HAS_EXIF if content else 0)
            body.append(data[start : start + 8] + bytes([flags]) + data[start + 9 : end])
        elif kind in _WEBP_KEPT:
            if kind == b"ANMF":
                _check_frame(data, start + 8 + _WEBP_FRAME_HEAD_BYTES, end)
            body.append((start, end))
    if content and is_extended:
        padding = bytes(len(content) & 1)
        body.append(b"EXIF" + struct.pack("<I", len(content)) + content + padding)
    length += sum(len(p) if isinstance(p, bytes) else p[1] - p[0] for p in body)
    pieces.put(b"RIFF" + struct.pack("<I", length) + b"WEBP")
    for part in body:
        if isinstance(part, bytes):
            pieces.put(part)
        else:
            pieces.keep(*part)
    return pieces.copy()


def _check_frame(data: bytes, start: int, end: int) -> None:
    kinds = {kind for kind, _, _ in _riff_chunks(data, start, end)}
    if not kinds <= _WEBP_FRAME:
        msg = "a frame of it has more than a picture"
        raise CannotStrip(msg)


def _riff_chunks(data: bytes, at: int, until: int) -> Iterator[tuple[bytes, int, int]]:
    if at == 12:
        until = min(until, 8 + struct.unpack_from("<I", data, 4)[0])
    while at + 8 <= until:
        kind, length = struct.unpack_from("<4sI", data, at)
        end = at + 8 + length + (length & 1)
        if end > until:
            # The last one's padding is missing in files of old encoders.
            if end - (length & 1) != until:
                msg = "it is cut off"
                raise CannotStrip(msg)
            end = until
        yield kind, at, end
        at = end


def strip_gif(data: bytes) -> Copy:
    """Raises CannotStrip."""
    pieces = Pieces(data)
    at = 13 + _gif_colours(data[10])
    pieces.keep(0, at)
    while at < len(data):
        start, kind = at, data[at]
        if kind == 0x3B:
            pieces.keep(start, start + 1)
            return pieces.copy()
        if kind == 0x2C and at + 10 < len(data):
            at = _gif_blocks(data, at + 10 + _gif_colours(data[at + 9]) + 1)
            pieces.keep(start, at)
        elif kind == 0x21 and at + 2 < len(data):
            label = data[at + 1]
            at = _gif_blocks(data, at + 2)
            if label == 0xF9 or (label == 0xFF and data.startswith(_GIF_KEPT, start + 2)):
                pieces.keep(start, at)
        else:
            break
    msg = "it is cut off"
    raise CannotStrip(msg)


def _gif_colours(flags: int) -> int:
    """Bytes of the table of colours that follows."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _gif_blocks(data: bytes, at: int) -> int:
    """Where a row of blocks ends, of which the last is empty."""
    while at < len(data):
        length = data[at]
        at += 1 + length
        if length == 0:
            return at
    msg = "it is cut off"
    raise CannotStrip(msg)
