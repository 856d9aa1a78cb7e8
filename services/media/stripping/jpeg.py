"""JPEG: the segments that a picture is made of, up to where it ends; all others go."""

import re
from typing import Final

from services.media.stripping import exif
from services.media.stripping.pieces import CannotStrip, Copy, Pieces

_SOI: Final = b"\xff\xd8"
_EOI, _SOS, _APP1 = 0xD9, 0xDA, 0xE1
#: Frames of every coding, tables, restart interval, number of lines. 0xC8 is for extensions, which
#: nobody has made.
_PICTURE: Final = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD}) - {0xC8}
#: Application segments without which colours would change, by what they begin with.
_NEEDED: Final = {0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
_APP0: Final = 0xE0
_JFIF: Final = b"JFIF\0"
_EXIF: Final = b"Exif\0\0"
#: In coded data 0xFF is followed by zero or a restart marker; all else is the next segment.
_NEXT_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
#: Of the JFIF segment, without the thumbnail that may follow.
_JFIF_BYTES: Final = 14


def strip(data: bytes, exif_block: bytes | None = None) -> Copy:
    """Keep of EXIF what is in the block, or in the file's own. Raises CannotStrip."""
    pieces = Pieces(data)
    pieces.put(_SOI)
    segments = _segments(data)
    # JFIF comes first, as it says itself.
    jfif = next((data[s:e] for code, s, e in segments if _is_jfif(data, code, s)), b"")
    pieces.put(_jfif(jfif) if jfif else b"")
    block = _first_exif(data, segments) if exif_block is None else exif_block
    pieces.put(_exif_segment(block))
    is_scanned = False
    for code, start, end in segments:
        if code == _EOI:
            pieces.keep(start, end)
            return pieces.copy()
        if code in _PICTURE or code == _SOS or _is_needed(data, code, start):
            pieces.keep(start, end)
        is_scanned = is_scanned or code == _SOS
    if not is_scanned:
        msg = "it has no picture"
        raise CannotStrip(msg)
    return pieces.copy()  # a camera that was switched off too early


def _segments(data: bytes) -> list[tuple[int, int, int]]:
    """Each segment's code, beginning and end; a scan's ends with its coded data.

    The last one is the end of the image, where it has one: what follows is not looked at.
    """
    found: list[tuple[int, int, int]] = []
    at = 2
    while at < len(data):
        marker = at
        if data[at] != 0xFF:
            msg = "there is something between its segments"
            raise CannotStrip(msg)
        while at < len(data) and data[at] == 0xFF:
            at += 1
        code = data[at] if at < len(data) else 0
        if code == _EOI:
            found.append((code, at - 1, at + 1))
            return found
        if code in {0x00, 0x01, 0xD8} or 0xD0 <= code <= 0xD7:
            msg = "there is a marker where none may be"
            raise CannotStrip(msg)
        end = at + 1 + int.from_bytes(data[at + 1 : at + 3], "big")
        if end > len(data) or end < at + 3:
            msg = "a segment is cut off"
            raise CannotStrip(msg)
        if code == _SOS:
            following = _NEXT_MARKER.search(data, end)
            end = following.start() if following else len(data)
        found.append((code, marker, end))
        at = end
    return found


def _is_needed(data: bytes, code: int, start: int) -> bool:
    return code in _NEEDED and data.startswith(_NEEDED[code], _content(data, start))


def _is_jfif(data: bytes, code: int, start: int) -> bool:
    return code == _APP0 and data.startswith(_JFIF, _content(data, start))


def _content(data: bytes, start: int) -> int:
    """Where a segment's content begins, behind fill bytes, code and length."""
    at = start
    while data[at] == 0xFF:
        at += 1
    return at + 3


def _jfif(segment: bytes) -> bytes:
    content = segment[_content(segment, 0) :][: _JFIF_BYTES - 2] + bytes(2)
    return b"\xff\xe0" + (len(content) + 2).to_bytes(2, "big") + content


def _first_exif(data: bytes, segments: list[tuple[int, int, int]]) -> bytes:
    for code, start, end in segments:
        content = _content(data, start) if code == _APP1 else start
        if code == _APP1 and data[content : content + len(_EXIF)] == _EXIF:
            return data[content:end]
    return b""


def _exif_segment(block: bytes) -> bytes:
    content = exif.stripped(block) if block else b""
    if not content:
        return b""
    return b"\xff\xe1" + (2 + len(_EXIF) + len(content)).to_bytes(2, "big") + _EXIF + content
