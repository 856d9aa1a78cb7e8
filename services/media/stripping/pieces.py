"""A copy of a file as pieces: what is taken of the file itself, and what is put between.

Only the pieces are kept, not the copy: a few hundred bytes beside a photo of several megabytes.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel, ConfigDict

#: Counts the rules of what stays, and of what is noted: copies that were made by others are made
#: anew.
RULES: Final = 2
#: Less than this between two pieces of a file costs less to repeat than to fetch by itself.
SMALL_BYTES: Final = 4096


class CannotStrip(Exception):
    """The file has a form that is not known well enough; the message says which."""


class _Piece(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64"
    )


class Kept(_Piece):
    """Bytes of the file, from `start` up to `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Bytes."""
        return self.end - self.start


class Put(_Piece):
    """Bytes that the file has not, or not there."""

    data: bytes

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.data)


class Zeros(_Piece):
    """So many bytes of zero: what was there was blanked, so that nothing else moves."""

    length: int


Piece = Kept | Put | Zeros


class Copy(BaseModel):
    """The pieces in their order; none where the copy is a picture of its own beside them.

    Archives want its CRC-32 before they read it.
    """

    model_config = ConfigDict(frozen=True)

    pieces: tuple[Piece, ...]
    crc32: int
    #: How long the picture beside them is, where the copy is that.
    picture_bytes: int = 0
    #: Whether the pieces are the JPEG in a raw file.
    is_of_raw: bool = False

    @property
    def size_bytes(self) -> int:
        """How long the copy is."""
        return self.picture_bytes + sum(piece.length for piece in self.pieces)

    @property
    def is_jpeg(self) -> bool:
        """Whether it is a JPEG, whatever the original is."""
        return self.is_of_raw or not self.pieces

    @classmethod
    def of_picture(cls, picture: bytes) -> "Copy":
        """Return what is noted of a copy that lies beside its note."""
        return cls(pieces=(), crc32=zlib.crc32(picture), picture_bytes=len(picture))

    def of_part(self, start: int) -> "Copy":
        """Return what this is in a file of which the JPEG that it was made of is a part."""
        moved = tuple(
            Kept(start=piece.start + start, end=piece.end + start)
            if isinstance(piece, Kept)
            else piece
            for piece in self.pieces
        )
        return self.model_copy(update={"pieces": moved, "is_of_raw": True})

    def part(self, start: int, end: int) -> Iterator[Piece]:
        """The pieces of a part of the copy, cut where it begins and ends."""
        at = 0
        for piece in self.pieces:
            first, last = max(start - at, 0), min(end - at, piece.length)
            if first < last:
                yield _cut(piece, first, last)
            at += piece.length


def _cut(piece: Piece, first: int, last: int) -> Piece:
    match piece:
        case Kept():
            return Kept(start=piece.start + first, end=piece.start + last)
        case Put():
            return Put(data=piece.data[first:last])
        case Zeros():
            return Zeros(length=last - first)


class Pieces:
    """Collects pieces of `data`; neighbours are joined, and small ones put."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pieces: list[Piece] = []

    def keep(self, start: int, end: int) -> None:
        """Take these bytes of the file."""
        if not 0 <= start <= end <= len(self._data):
            msg = "it points beyond its end"
            raise CannotStrip(msg)
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, Kept) and last.end == start:
            self._pieces[-1] = Kept(start=last.start, end=end)
        elif start < end:
            self._pieces.append(Kept(start=start, end=end))

    def put(self, data: bytes) -> None:
        """Insert these."""
        if data:
            self._pieces.append(Put(data=data))

    def zeros(self, length: int) -> None:
        """Blank so many."""
        if length:
            self._pieces.append(Zeros(length=length))

    def copy(self) -> Copy:
        """Return all that was collected."""
        joined: list[Piece] = []
        for piece in self._pieces:
            small = self._small(piece)
            last = joined[-1] if joined else None
            if small is not None and isinstance(last, Put):
                joined[-1] = Put(data=last.data + small)
            else:
                joined.append(piece if small is None else Put(data=small))
        return Copy(pieces=tuple(joined), crc32=self._crc32(joined))

    def _crc32(self, pieces: list[Piece]) -> int:
        whole, crc32 = memoryview(self._data), 0
        for piece in pieces:
            match piece:
                case Kept():
                    crc32 = zlib.crc32(whole[piece.start : piece.end], crc32)
                case Put():
                    crc32 = zlib.crc32(piece.data, crc32)
                case Zeros():
                    crc32 = zlib.crc32(bytes(piece.length), crc32)
        return crc32

    def _small(self, piece: Piece) -> bytes | None:
        if piece.length > SMALL_BYTES and not isinstance(piece, Put):
            return None
        match piece:
            case Kept():
                return self._data[piece.start : piece.end]
            case Put():
                return piece.data
            case Zeros():
                return bytes(piece.length)


def only(data: bytes, kept: list[tuple[int, int, bytes | None]]) -> Copy:
    """Return the file with these parts of it (or what is put in their place), all else blank.

    Raises CannotStrip where two overlap: what one blanks, the other may need.
    """
    pieces = Pieces(data)
    at = 0
    for start, end, instead in sorted(kept, key=lambda part: part[:2]):
        if start < at:
            msg = "its parts overlap"
            raise CannotStrip(msg)
        if end > len(data):
            msg = "it points beyond its end"
            raise CannotStrip(msg)
        pieces.zeros(start - at)
        if instead is None:
            pieces.keep(start, end)
        else:
            pieces.put(instead)
        at = end
    pieces.zeros(len(data) - at)
    return pieces.copy()
