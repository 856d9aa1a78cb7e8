"""Objects fetched for native code before it is its turn: so many at once, so many bytes in all.

Whoever has a turn at a worker and only then fetches makes the worker wait for the store: one slow
fetch, one idle worker.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from libs.common.storage.protocol import ObjectStore
from libs.common.storage.whole_file import Content, whole_file


class Fetches:
    """The local copies of a process; take one first, and the worker afterwards.

    A store whose objects are files makes no copies, and is bounded like the others.
    """

    def __init__(self, store: ObjectStore, *, at_once: int, max_bytes: int) -> None:
        """`at_once` bounds fetches under way, `max_bytes` what they and finished ones take."""
        self._store = store
        self._under_way = asyncio.Semaphore(at_once)
        self._room = _Room(max_bytes)

    @asynccontextmanager
    async def whole_file(self, key: str, uploaded: Content) -> AsyncIterator[Path]:
        """See `whole_file.whole_file`; waits for room, which is taken until the block's end."""
        fetch = partial(self._local_file, size_bytes=uploaded.size_bytes)
        async with whole_file(fetch, key, uploaded) as path:
            yield path

    @asynccontextmanager
    async def _local_file(self, key: str, *, size_bytes: int) -> AsyncIterator[Path]:
        """As `ObjectStore.local_file`, once there is room, which is taken until the block's end."""
        async with self._room.taken(size_bytes), AsyncExitStack() as fetched:
            async with self._under_way:
                path = await fetched.enter_async_context(self._store.local_file(key))
            yield path


class _Room:
    """A number of bytes; who comes first gets first, so that no large object waits for ever."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._used_bytes = 0
        self._first_in_line = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def taken(self, size_bytes: int) -> AsyncIterator[None]:
        # What is larger than all of it comes alone.
        size = min(size_bytes, self._max_bytes)
        async with self._first_in_line:
            while self._used_bytes + size > self._max_bytes:
                self._freed.clear()
                await self._freed.wait()
            self._used_bytes += size
        try:
            yield
        finally:
            self._used_bytes -= size
            self._freed.set()
