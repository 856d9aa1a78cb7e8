import asyncio
import hashlib
import zlib

import pytest

from libs.common.storage.protocol import Beside, Buffer, StoreUnavailable
from services.ingest.photos.digesting import BATCH_BYTES, Batches, digesting
from tests.support.polling import eventually


class Sink:
    """A store's writer that can be held up or broken."""

    def __init__(self, *, broken_after: int | None = None) -> None:
        self.written = bytearray()
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.active = 0
        self._broken_after = broken_after

    async def write(self, data: Buffer, *, beside: Beside | None = None) -> None:
        self.active += 1
        try:
            assert beside is not None
            beside(memoryview(data))
            await self.is_open.wait()
            if self._broken_after is not None and len(self.written) >= self._broken_after:
                raise StoreUnavailable("the photo store is full")
            self.written += data
        finally:
            self.active -= 1

    async def commit(self) -> None: ...

    async def commit_as(self, key: str) -> None: ...


class Pieces:
    """A source whose pieces are all of one size."""

    def __init__(self, content: bytes, piece_bytes: int) -> None:
        self._content = memoryview(content)
        self._piece_bytes = piece_bytes

    async def read(self) -> memoryview:
        piece = self._content[: self._piece_bytes]
        self._content = self._content[self._piece_bytes :]
        return piece


@pytest.mark.parametrize("piece_bytes", [60_000, BATCH_BYTES, 2 * BATCH_BYTES + 5])
@pytest.mark.parametrize("size", [0, 1, BATCH_BYTES, 3 * BATCH_BYTES + 17])
async def test_what_went_by_is_known_at_the_end(size: int, piece_bytes: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    sink = Sink()

    batches = Batches(Pieces(content, piece_bytes))
    async with digesting(sink) as writer:
        while batch := await batches.next():
            assert len(batch) == min(BATCH_BYTES, size - writer.size_bytes)
            await writer.write(batch)
        digest = await writer.finish()
    assert not await batches.next()

    assert sink.written == content
    assert digest.sha256 == hashlib.sha256(content).digest()
    assert digest.crc32 == zlib.crc32(content)
    assert digest.size_bytes == size


async def test_a_slow_store_holds_the_reader_back() -> None:
    sink = Sink()
    sink.is_open.clear()

    async with digesting(sink) as writer:
        await writer.write(memoryview(b"1" * BATCH_BYTES))
        second = asyncio.create_task(writer.write(memoryview(b"2" * BATCH_BYTES)))
        done, _ = await asyncio.wait([second], timeout=0.05)
        assert not done
        sink.is_open.set()
        await second
        await writer.finish()

    assert len(sink.written) == 2 * BATCH_BYTES


async def test_a_broken_store_is_noticed_by_the_next_batch() -> None:
    async with digesting(Sink(broken_after=BATCH_BYTES)) as writer:
        await writer.write(memoryview(b"1" * BATCH_BYTES))
        await writer.write(memoryview(b"2" * BATCH_BYTES))
        with pytest.raises(StoreUnavailable):
            await writer.finish()


async def test_leaving_unfinished_ends_the_write_under_way() -> None:
    sink = Sink()
    sink.is_open.clear()

    async with digesting(sink) as writer:
        await writer.write(memoryview(b"1" * BATCH_BYTES))
        await eventually(lambda: sink.active == 1)

    assert sink.active == 0
    assert not sink.written


@pytest.mark.parametrize("size", [0, 10, BATCH_BYTES, BATCH_BYTES + 1, 5 * BATCH_BYTES])
async def test_a_header_is_looked_for_in_two_batches_which_stay_until_more_is_asked_for(
    size: int,
) -> None:
    content = (bytes(range(251)) * (5 * BATCH_BYTES // 251 + 1))[:size]
    batches = Batches(Pieces(content, 60_000))
    first = await batches.first_two()
    assert b"".join(first) == content[: 2 * BATCH_BYTES]
    came = bytearray(b"".join(first))
    while batch := await batches.next():
        came += batch
    assert came == content
