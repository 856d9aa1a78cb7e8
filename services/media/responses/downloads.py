"""Turns at the store: how many large objects are read from it at once, and how."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from libs.common.errors import Unavailable
from services.media.responses.sources import Source

#: What is read at once without a stream, and for a client that let wait; twice as much each time
#: that it does not.
PART_BYTES = 256 * 1024
#: A client that takes nothing for so long, of a file, or longer to take a piece (2 Mbit/s do not)
#: lets wait.
PATIENCE_SECONDS = 1.0
#: So long a request waits for a turn to read from the store, and so long does one whose head is
#: out: a file that breaks off is worse than one that comes late, up to a gateway's 75 s.
TURN_SECONDS = 30.0
MIDWAY_TURN_SECONDS = 60.0
RETRY_AFTER_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Part:
    """Pieces of an object, up to where they end."""

    end: int
    pieces: AsyncIterator[bytes]


class Downloads:
    """Reads large objects from the store.

    So many are streams, which last as long as their clients keep up. Where none is free, a part
    is read whole before it is sent: that takes as long as the store takes, whoever the client is,
    so that the turns for it come around.
    """

    def __init__(self, *, streams: int, parts: int) -> None:
        """`streams` may be none; `parts` are read at once beside them."""
        self.streams = asyncio.Semaphore(streams)
        self._parts = asyncio.Semaphore(parts)

    @asynccontextmanager
    async def reading(
        self, source: Source, start: int, end: int, *, is_midway: bool = False
    ) -> AsyncIterator[Part]:
        """Read from `start` for the length of the block, to `end` or less far.

        Raises ObjectNotFound, with a stream at its first piece; Unavailable where no turn comes.
        """
        if end - start > PART_BYTES and not self.streams.locked():
            async with self.streams, aclosing(source.read(start, end)) as read:
                yield Part(end, read)
        else:
            end = min(start + PART_BYTES, end)
            piece = await self._part(source, start, end, is_midway=is_midway)
            yield Part(end, _one(piece))

    async def _part(self, source: Source, start: int, end: int, *, is_midway: bool) -> bytes:
        try:
            async with asyncio.timeout(MIDWAY_TURN_SECONDS if is_midway else TURN_SECONDS):
                await self._parts.acquire()
        except TimeoutError as error:
            msg = "Too many photos are being sent. Try again in a few seconds."
            raise Unavailable(msg, retry_after_seconds=RETRY_AFTER_SECONDS) from error
        try:
            return b"".join([piece async for piece in source.read(start, end)])
        finally:
            self._parts.release()


async def _one(piece: bytes) -> AsyncIterator[bytes]:
    yield piece
