"""A file's bytes on their way into the store: in batches, hashed where they are written."""

import asyncio
import hashlib
import mmap
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from libs.common import tasks
from libs.common.storage.protocol import ObjectWriter
from services.ingest.byte_source import ByteSource

#: A thread is entered once per batch, and each upload holds two. Measured beside a megabyte: no
#: slower (what was copied is still in the cache when it is hashed), and less memory.
BATCH_BYTES = 256 * 1024
#: What is read of a file before any of it is stored. Most have their whole header in it.
BEGINNING_BYTES = 2 * BATCH_BYTES


class Batches:
    """A source's content in batches, by two buffers that take turns.

    One is filled while the other is used: an upload holds two batches, however it is sent, and its
    bytes are copied once.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._rest = memoryview(b"")
        # Of the system, to which they go back at once: freed megabytes between what is small and
        # lives on would stay with the process.
        self._buffer: mmap.mmap | None = None
        self._other: mmap.mmap | None = None
        self._filled = 0

    @property
    def unfinished(self) -> memoryview:
        """What had come of a batch when the source broke off."""
        return memoryview(self._buffer or b"")[: self._filled]

    async def first_two(self) -> list[memoryview]:
        """Return the first BEGINNING_BYTES, less only at the end; good until more is asked for.

        Raises what the source raises.
        """
        first = await self.next()
        return [first, await self.next()] if len(first) == BATCH_BYTES else [first]

    async def next(self) -> memoryview:
        """Return BATCH_BYTES, less only at the end, nothing after that.

        It is good until the next but one is asked for. Raises what the source raises.
        """
        buffer = self._other or mmap.mmap(-1, BATCH_BYTES)
        self._buffer, self._other = buffer, self._buffer
        self._filled = 0
        while self._filled < BATCH_BYTES:
            if not self._rest:
                self._rest = memoryview(await self._source.read())
                if not self._rest:
                    break
            piece = self._rest[: BATCH_BYTES - self._filled]
            buffer[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)
            self._rest = self._rest[len(piece) :]
        return self.unfinished


@dataclass(frozen=True, slots=True)
class Digest:
    """What is known of a content once all of it went by; CRC-32 is what a ZIP will need."""

    sha256: bytes
    crc32: int
    size_bytes: int


class DigestingWriter:
    """Hashes and writes one batch, in one thread, while the next one is filled."""

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer
        self._sha256 = hashlib.sha256()
        self._crc32 = 0
        self._size_bytes = 0
        self._in_flight: asyncio.Task[None] | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes taken so far."""
        return self._size_bytes

    async def write(self, batch: memoryview) -> None:
        """Take a batch, once the one before is written. Raises what the store raises."""
        await self._settle()
        self._size_bytes += len(batch)
        self._in_flight = asyncio.create_task(self._writer.write(batch, beside=self._hash))

    async def finish(self) -> Digest:
        """Return what all of it was, once all of it is written."""
        await self._settle()
        return Digest(self._sha256.digest(), self._crc32, self._size_bytes)

    async def _settle(self) -> None:
        if self._in_flight is not None:
            await self._in_flight
            self._in_flight = None

    def _hash(self, batch: memoryview) -> None:
        self._sha256.update(batch)
        self._crc32 = zlib.crc32(batch, self._crc32)

    async def abandon(self) -> None:
        """End what is under way, so that the store's writer is no longer used."""
        task, self._in_flight = self._in_flight, None
        if task is not None:
            await tasks.end(task)


@asynccontextmanager
async def digesting(writer: ObjectWriter) -> AsyncIterator[DigestingWriter]:
    """Wrap the store's writer for the length of the block."""
    wrapped = DigestingWriter(writer)
    try:
        yield wrapped
    finally:
        await wrapped.abandon()
