"""The bytes of a data connection, written by its thread, read by the use case."""

import asyncio
from enum import Enum

from libs.common.errors import InvalidInput
from services.ingest.images.jpeg_end import JpegEnd
from services.ingest.request_body import BrokenBody

#: Pieces that wait for the use case; then the thread reads no more, and the camera is held up.
WAITING_PIECES = 2
CUT_OFF = "The end of the file is missing: it was cut off on its way."


class End(Enum):
    """How a data connection ended."""

    #: As FTP ends a file: the sender closes it, by TLS with a word.
    ORDERLY = "orderly"
    #: By TLS without that word, as some clients do, and whoever cuts a connection.
    SILENT = "silent"
    #: Reset, aborted, or its sender is not there any more.
    BROKEN = "broken"


class Truncated(InvalidInput):
    """A JPEG came without its end, though the connection ended in order."""


class Pieces:
    """A ByteSource that a thread fills; at its end it judges whether all of the file came."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | End | BrokenBody] = asyncio.Queue(WAITING_PIECES)
        self._jpeg_end = JpegEnd()
        self._has_ended = False

    async def put(self, piece: bytes | End | BrokenBody) -> None:
        """Hand over the next bytes, how they ended, or why there are none any more."""
        await self._queue.put(piece)

    def came_before(self, piece: bytes) -> None:
        """Know bytes of the file that came over an earlier connection."""
        self._jpeg_end.feed(piece)

    async def read(self) -> bytes:
        """As `ByteSource.read`. Raises Truncated too."""
        if self._has_ended:
            return b""
        piece = await self._queue.get()
        if isinstance(piece, BrokenBody):
            raise piece
        if isinstance(piece, bytes):
            self._jpeg_end.feed(piece)
            return piece
        self._has_ended = True
        self._check(piece)
        return b""

    def _check(self, end: End) -> None:
        """Whether less came than was sent, as far as anybody can tell: FTP does not say.

        Raises BrokenBody where the connection is to blame, so that its sender may go on later;
        Truncated where the file may be so where it comes from.
        """
        if end is End.BROKEN or (end is End.SILENT and not self._jpeg_end.is_seen):
            msg = f"{CUT_OFF} Go on where it ended (REST, APPE), or send it again."
            raise BrokenBody(msg)
        if self._jpeg_end.is_missing:
            msg = f"{CUT_OFF} Send it again."
            raise Truncated(msg)
