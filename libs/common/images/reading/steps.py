"""Reading a file piece by piece, wherever its bytes are.

A parser is a generator: it says which bytes it wants, and is given them. So the same one reads what
has come of a file, waits for the rest of it, and goes on with what was stored.
"""

import os
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, TypeVar

_Result = TypeVar("_Result")

#: What is read of a block of metadata or of a table; a larger one is none.
MAX_BLOCK_BYTES: Final = 1024 * 1024
#: A parser that asks more often than this walks through a crafted file.
MAX_STEPS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Span:
    """So many bytes from `start` on, which counts from the end where it is negative."""

    start: int
    length: int

    def within(self, size_bytes: int) -> int:
        """Return where it begins in a file of this size."""
        return self.start if self.start >= 0 else max(self.start + size_bytes, 0)


#: What is sent in has fewer bytes than the span where the file ends.
Steps = Generator[Span, bytes, _Result]


class CutOff(ValueError):
    """The file ends where more is needed."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Blocks as they lie in the file, empty where there is none (or one that is too large)."""

    exif: bytes = b""  # from the TIFF header on
    xmp: bytes = b""  # the packet
    iptc: bytes = b""  # JPEG: Photoshop's image resources; TIFF: the records themselves
    modified: bytes = b""  # PNG's tIME, 7 bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What a container says: stored width and height, and the metadata's blocks.

    `is_turned` tells whether the picture lies on its side, None where EXIF says it. `decoded` is
    the size of what a decoder makes first, where that is another. `coding` is HEIF's item type of
    the primary picture, or of its tiles: hvc1, av01, …
    """

    width: int
    height: int
    metadata: Metadata = field(default_factory=Metadata)
    is_turned: bool | None = None
    decoded: tuple[int, int] | None = None
    coding: bytes | None = None
    #: What is special about its pixels, where decoders would show them wrongly.
    oddity: str | None = None
    #: Where its pixels end, of what says so at its beginning: a file that ends before is cut off.
    end: int | None = None


def read_from(steps: Steps[_Result], file: BinaryIO) -> _Result:
    """Return what the parser makes of a file that can be read anywhere. Raises what it raises."""
    asked = 0
    try:
        wanted = next(steps)
        size_bytes = file.seek(0, os.SEEK_END)
        while True:
            asked += 1
            file.seek(min(wanted.within(size_bytes), size_bytes))
            wanted = steps.send(file.read(wanted.length) if asked <= MAX_STEPS else b"")
    except StopIteration as stop:
        result: _Result = stop.value
        return result


def part_of(steps: Steps[_Result], start: int, length: int) -> Steps[_Result]:
    """Return what the parser makes of a part of the file that is a file of its own."""
    try:
        wanted = next(steps)
        while True:
            inside = max(0, min(wanted.length, length - wanted.start))
            data = (yield Span(start + wanted.start, inside)) if inside else b""
            wanted = steps.send(data)
    except StopIteration as stop:
        result: _Result = stop.value
        return result


def exactly(start: int, length: int) -> Steps[bytes]:
    """Return just so many bytes; raises CutOff."""
    data = yield Span(start, length)
    if len(data) < length:
        msg = "the file ends too early"
        raise CutOff(msg)
    return data


def block(start: int, length: int) -> Steps[bytes]:
    """Return a block of metadata; empty where it is too large, or not whole."""
    if not 0 < length <= MAX_BLOCK_BYTES:
        return b""
    data = yield Span(start, length)
    return data if len(data) == length else b""
