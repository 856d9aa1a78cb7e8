import asyncio
import hashlib
import zlib

import pytest

from libs.common.storage.protocol import StoreUnavailable
from services.ingest.photos.store_photo import BATCH_BYTES, digesting
from tests.support.polling import eventually


class Sink:
    """A store's writer that can be held up or broken."""

    def __init__(self, *, broken_after: int | None = None) -> None:
        self.written = bytearray()
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.active = 0
        self._broken_after = broken_after

    async def write(self, data: bytes) -> None:
        self.active += 1
        try:
            await self.is_open.wait()
            if self._broken_after is not None and len(self.written) >= self._broken_after:
                raise StoreUnavailable("the photo store is full")
            self.written += data
        finally:
            self.active -= 1

    async def commit(self) -> None: ...


@pytest.mark.parametrize("size", [0, 1, BATCH_BYTES, 3 * BATCH_BYTES + 17])
async def test_what_went_by_is_known_at_the_end(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    sink = Sink()

    async with digesting(sink) as writer:
        for start in range(0, size, 60_000):
            await writer.write(content[start : start + 60_000])
        digest = await writer.finish()

    assert sink.written == content
    assert digest.sha256 == hashlib.sha256(content).digest()
    assert digest.crc32 == zlib.crc32(content)
    assert digest.size_bytes == size


async def test_a_slow_store_holds_the_reader_back() -> None:
    sink = Sink()
    sink.is_open.clear()

    async with digesting(sink) as writer:
        await writer.write(b"1" * BATCH_BYTES)
        second = asyncio.create_task(writer.write(b"2" * BATCH_BYTES))
        done, _ = await asyncio.wait([second], timeout=0.05)
        assert not done
        sink.is_open.set()
        await second
        await writer.finish()

    assert len(sink.written) == 2 * BATCH_BYTES


async def test_a_broken_store_is_noticed_by_the_next_batch() -> None:
    async with digesting(Sink(broken_after=BATCH_BYTES)) as writer:
        await writer.write(b"1" * BATCH_BYTES)
        await writer.write(b"2" * BATCH_BYTES)
        with pytest.raises(StoreUnavailable):
            await writer.finish()


async def test_leaving_unfinished_ends_the_write_under_way() -> None:
    sink = Sink()
    sink.is_open.clear()

    async with digesting(sink) as writer:
        await writer.write(b"1" * BATCH_BYTES)
        await eventually(lambda: sink.active == 1)

    assert sink.active == 0
    assert not sink.written
