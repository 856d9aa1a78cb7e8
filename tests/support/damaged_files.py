"""JPEG files as cameras, cards and networks leave them."""

import io
from collections.abc import Iterable
from typing import Any

from PIL import Image

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SOS = 0xDA


def encoded(picture: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def segment_starts(jpeg: bytes) -> list[int]:
    """Where each segment's marker is, up to the first scan's."""
    starts, at = [], len(SOI)
    while True:
        starts.append(at)
        if jpeg[at + 1] == SOS:
            return starts
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])


def restart_markers(jpeg: bytes) -> list[int]:
    """Where each restart marker of the only scan is."""
    scan = segment_starts(jpeg)[-1]
    return [
        at for at in range(scan, len(jpeg) - 1) if jpeg[at] == 0xFF and 0xD0 <= jpeg[at + 1] <= 0xD7
    ]


def with_stray_bytes(data: bytes, places: Iterable[int], stray: bytes) -> bytes:
    """Put bytes that belong to nothing at these places."""
    for at in sorted(places, reverse=True):
        data = data[:at] + stray + data[at:]
    return data


def with_odd_scan_header(jpeg: bytes) -> bytes:
    """Have the scan's header say Ss = Se = 0, as some phones do for baseline pictures."""
    at = segment_starts(jpeg)[-1]
    end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return jpeg[: end - 3] + b"\0\0\0" + jpeg[end:]
