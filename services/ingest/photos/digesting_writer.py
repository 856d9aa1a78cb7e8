"""Bytes on their way into the store, hashed in a worker thread beside the writing."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from libs.common.storage.protocol import ObjectWriter

#: A thread is entered once per batch; below a megabyte the way there costs more than the work.
BATCH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Digest:
    """What is known of a content once all of it went by; CRC-32 is what a ZIP will need."""

    sha256: bytes
    crc32: int
    size_bytes: int


class DigestingWriter:
    """Fills one batch while the one before is hashed and written; so at most two are held."""

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer
        self._sha256 = hashlib.sha256()
        self._crc32 = 0
        self._size_bytes = 0
        self._pieces: list[bytes] = []
        self._filled = 0
        self._in_flight: asyncio.Task[None] | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes taken so far."""
        return self._size_bytes

    async def write(self, piece: bytes) -> None:
        """Take bytes; waits while the batch before is under way. Raises what the store raises."""
        self._pieces.append(piece)
        self._filled += len(piece)
        self._size_bytes += len(piece)
        if self._filled >= BATCH_BYTES:
            await self._send_batch()

    async def finish(self) -> Digest:
        """Pass on the rest, and return what all of it was."""
        await self._send_batch()
        await self._settle()
        return Digest(self._sha256.digest(), self._crc32, self._size_bytes)

    async def _send_batch(self) -> None:
        batch, self._pieces, self._filled = b"".join(self._pieces), [], 0
        await self._settle()
        self._in_flight = asyncio.create_task(self._pass_on(batch))

    async def _settle(self) -> None:
        if self._in_flight is not None:
            await self._in_flight
            self._in_flight = None

    async def _pass_on(self, batch: bytes) -> None:
        hashing = asyncio.create_task(asyncio.to_thread(self._hash, batch))
        try:
            await self._writer.write(batch)
        finally:
            await hashing

    def _hash(self, batch: bytes) -> None:
        self._sha256.update(batch)
        self._crc32 = zlib.crc32(batch, self._crc32)

    async def abandon(self) -> None:
        """End what is under way, so that the store's writer is no longer used."""
        task, self._in_flight = self._in_flight, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


@asynccontextmanager
async def digesting(writer: ObjectWriter) -> AsyncIterator[DigestingWriter]:
    """Wrap the store's writer for the length of the block."""
    wrapped = DigestingWriter(writer)
    try:
        yield wrapped
    finally:
        await wrapped.abandon()
