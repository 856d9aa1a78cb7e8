"""Where a file's bytes come from, whichever way they travel."""

from typing import Protocol


class ByteSource(Protocol):
    """A file's content, once, from its beginning to its end.

    A part of a form, a raw body, an FTP data connection, the pieces of a resumable upload.
    """

    async def read(self) -> bytes | memoryview:
        """Return the next piece, of any size that is small beside a megabyte; b"" at the end.

        Raises BrokenBody when the sender goes away before it, stalls, or sends more than may be;
        then nothing is kept of the file.
        """


async def read_prefix(source: ByteSource, max_bytes: int) -> bytes:
    """Return the content's beginning: `max_bytes` or a little more, less only at its end."""
    pieces: list[bytes | memoryview] = []
    size = 0
    while size < max_bytes and (piece := await source.read()):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
