"""When a file in the folder is whole: it holds still, and its format's end is there.

Whoever copies a file may stop for a while in the middle (a card reader, a share, an FTP server),
and Windows' Explorer gives a file its full size before its content: stillness alone is no proof.
A file whose end does not come is not waited for without end: the server is to say what it is.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import BinaryIO, Final

from findme_watch.kinds import Kind, kind_of

#: Cameras and programs put zeros, small pictures and whole videos behind a picture's end.
TAIL_BYTES: Final = 64 * 1024
PIECE_BYTES: Final = 1024 * 1024
#: No picture is smaller.
_HEAD_BYTES: Final = 32
_MAX_SEGMENTS: Final = 1000
_MAX_BOXES: Final = 1000
_EOI: Final = b"\xff\xd9"
_SOS: Final = 0xDA
_IEND: Final = b"IEND\xae\x42\x60\x82"
_ISO_MEDIA: Final = frozenset({".heic", ".heif", ".hif", ".avif"})


class End(Enum):
    """What is known of a file's end; formats like TIFF may end with anything."""

    THERE = "there"
    MISSING = "missing"
    UNKNOWN = "unknown"
    #: A raw file's: whether its JPEG comes beside it, which is sent then, shows in a while.
    OF_RAW = "of a raw file"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a file has to hold still, and how long its end is waited for, in seconds."""

    still_seconds: float = 2.0
    end_seconds: float = 60.0


def seconds_to_wait(seen_still: float, age: float, end: End | None, patience: Patience) -> float:
    """Return how long a file is left alone from now on, 0 when it is to be read (or sent).

    `seen_still` is for how long its size and time have not changed before our eyes; `age` is by
    its time of change and this machine's clock, which may differ from the camera's: an age below 0
    proves nothing. `end` is None before it was read.
    """
    still = max(seen_still, age)
    match end:
        case None:
            return max(0.0, patience.still_seconds - still)
        case End.THERE:
            return 0.0
        case End.UNKNOWN:
            return max(0.0, 3 * patience.still_seconds - still)
        case End.OF_RAW:
            return max(0.0, patience.end_seconds - seen_still)
        case End.MISSING:
            return max(0.0, patience.end_seconds - seen_still)


def find_end(file: BinaryIO, size: int, name: str) -> End:
    """Tell whether the format's end is there. The format is known by the first bytes.

    Raises OSError.
    """
    end = _end(file, size, name)
    return End.OF_RAW if kind_of(name) is Kind.RAW and end is not End.MISSING else end


def _end(file: BinaryIO, size: int, name: str) -> End:
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or not head.strip(b"\0"):
        # Nothing yet: a size without content, or not even that.
        return End.MISSING
    if head.startswith(b"\xff\xd8"):
        return _known(_has_jpeg_end(file, size))
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _known(_IEND in _tail(file, size))
    if head.startswith(b"GIF8"):
        return _known(_has_gif_end(file))
    if head.startswith(b"RIFF"):
        return _known(size >= 8 + int.from_bytes(head[4:8], "little"))
    if head[4:8] == b"ftyp" or PurePath(name).suffix.lower() in _ISO_MEDIA:
        return _known(_has_all_boxes(file, size))
    return End.UNKNOWN


def _known(is_there: bool) -> End:  # noqa: FBT001 - it is the whole question
    return End.THERE if is_there else End.MISSING


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - TAIL_BYTES))
    return file.read(TAIL_BYTES)


def _has_jpeg_end(file: BinaryIO, size: int) -> bool:
    """Look for the marker EOI behind the first scan's head (ITU-T T.81, annex B).

    In a scan's data 0xFF is followed by 0x00 or a marker: an EOI there is no picture's byte. Before
    it lies the small picture of the camera, with an end of its own.
    """
    scan = _first_scan(file, size)
    if scan is None:
        return False
    if _tail(file, size).rstrip(b"\0").endswith(_EOI):
        return True
    return any(_EOI in piece for piece in _overlapping(file, scan))


def _first_scan(file: BinaryIO, size: int) -> int | None:
    at = 2
    for _ in range(_MAX_SEGMENTS):
        file.seek(at)
        segment = file.read(4)
        if len(segment) < 4 or segment[0] != 0xFF:
            return None
        if segment[1] == 0xFF:  # a byte that fills
            at += 1
            continue
        at += 2 + int.from_bytes(segment[2:], "big")
        if segment[1] == _SOS:
            return at if at < size else None
    return None


def _overlapping(file: BinaryIO, start: int) -> Iterator[bytes]:
    """Yield the rest of the file in pieces, each with the last byte of the one before."""
    file.seek(start)
    last = b""
    while piece := file.read(PIECE_BYTES):
        yield last + piece
        last = piece[-1:]


def _has_gif_end(file: BinaryIO) -> bool:
    """Walk the blocks (GIF89a, appendix B): what looks like the trailer may be a picture's byte."""
    file.seek(10)
    at = 13 + _table_bytes(file.read(1))
    while True:
        file.seek(at)
        head = file.read(10)
        match head[:1]:
            case b";":
                return True
            case b"!":
                at += 2
            case b"," if len(head) == 10:
                at += 11 + _table_bytes(head[9:])
            case _:
                return False
        # Blocks of their own size, until one of none.
        while True:
            file.seek(at)
            size = file.read(1)
            if not size:
                return False
            at += 1 + size[0]
            if not size[0]:
                break


def _table_bytes(flags: bytes) -> int:
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags[0] & 0x80 else 0


def _has_all_boxes(file: BinaryIO, size: int) -> bool:
    """Whether the boxes (ISO/IEC 14496-12) end within the file, and the content is among them."""
    at, kinds = 0, set()
    for _ in range(_MAX_BOXES):
        if at + 8 > size:
            break
        file.seek(at)
        head = file.read(16)
        length, kind = struct.unpack_from(">I4s", head)
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        if kind == bytes(4):
            break  # zeros behind the last box
        if length == 0:  # to the end of the file
            return True
        if length < 8 or at + length > size:
            return False
        kinds.add(kind)
        at += length
    if b"uuid" in kinds and {b"moov", b"mdat"} <= kinds:
        return True  # Canon's raw file
    return b"meta" in kinds and (b"mdat" in kinds or b"moov" in kinds or b"idat" in kinds)
