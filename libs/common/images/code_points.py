"""Which colours a picture means where no ICC profile says it: the code points of ITU-T H.273.

HEIF and AVIF have them in an nclx box (ISO/IEC 14496-12, 12.1.5), PNG in a cICP chunk (third
edition, 11.3.2.6).
"""

import os
import struct
from collections.abc import Mapping
from typing import BinaryIO, Final, NamedTuple

from libs.common.images.boxes import associations, boxes, content_of, primary_item, uint

_PNG_HEAD_BYTES: Final = 8
#: Before a PNG's picture; a crafted one has millions of empty ones.
_MAX_CHUNKS: Final = 10_000


class CodePoints(NamedTuple):
    """By the numbers of H.273, 8.1 and 8.2.

    The range is that of the pixels as they are decoded: of HEIF and AVIF it is always the full one.
    """

    primaries: int
    transfer: int
    is_full_range: bool = True


def of_heif(info: Mapping[str, object]) -> CodePoints | None:
    """Return those of a picture that pillow-heif has opened, by its `info`."""
    nclx = info.get("nclx_profile")
    if not isinstance(nclx, Mapping):
        return None
    return CodePoints(nclx["color_primaries"], nclx["transfer_characteristics"])


def of_avif(file: bytes) -> CodePoints | None:
    """Return those of the primary item, of all the file's bytes.

    Raises ValueError, LookupError or struct.error for what is no AVIF.
    """
    meta = dict(boxes(content_of(dict(boxes(file)), b"meta")[4:]))
    properties = dict(boxes(content_of(meta, b"iprp")))
    stored = list(boxes(content_of(properties, b"ipco")))
    primary = primary_item(content_of(meta, b"pitm"))
    for index in associations(content_of(properties, b"ipma"), primary):
        kind, content = stored[index - 1]
        if kind == b"colr" and content[:4] == b"nclx":
            return CodePoints(uint(content, 4, 2), uint(content, 6, 2))
    return None


def of_png(file: BinaryIO) -> CodePoints | None:
    """Return those of a PNG, for whom they count more than an ICC profile."""
    file.seek(_PNG_HEAD_BYTES)
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            return None
        (length,) = struct.unpack(">I", head[:4])
        if head[4:] == b"cICP":
            told = file.read(4)
            is_whole = length == len(told) == 4
            return CodePoints(told[0], told[1], bool(told[3])) if is_whole else None
        file.seek(length + 4, os.SEEK_CUR)
    return None
