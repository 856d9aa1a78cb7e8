"""Reading files that others may still write."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from findme_watch.folder import look_at
from findme_watch.known import Look
from findme_watch.wholeness import PIECE_BYTES, End, find_end


class Changed(Exception):
    """The file is not as it was seen, or is gone; the folder's next look tells."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file holds, read to its end."""

    sha256: str
    end: End


def examine(path: Path, look: Look) -> Examined:
    """Read all of a file. Raises Changed when it is not as seen, OSError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        _check(path, look)
        with path.open("rb") as file:
            end = find_end(file, look.size, path.name)
            file.seek(0)
            count = 0
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
                count += len(piece)
        _check(path, look)
    except FileNotFoundError as error:
        raise Changed(str(path)) from error
    if count != look.size:
        raise Changed(str(path))
    return Examined(digest.hexdigest(), end)


def read_piece(path: Path, look: Look, offset: int, count: int) -> bytes:
    """Return so many bytes from a place in the file, fewer at its end. Raises Changed, OSError."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            piece = file.read(count)
        _check(path, look)
    except FileNotFoundError as error:
        raise Changed(str(path)) from error
    if len(piece) != min(count, look.size - offset):
        raise Changed(str(path))
    return piece


def _check(path: Path, look: Look) -> None:
    if look_at(path) != look:
        raise Changed(str(path))
