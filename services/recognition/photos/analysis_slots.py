"""How many photos a replica analyses at once, and one that may be dangerous by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager


class AnalysisSlots:
    """`count` photos at a time; a suspect one waits until it is the only one."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = asyncio.Semaphore(count)
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold one slot for the length of the block."""
        async with self._free:
            yield

    @asynccontextmanager
    async def all(self) -> AsyncIterator[None]:
        """Hold every slot for the length of the block."""
        # Of two that collect slots one by one, each would wait for the other's.
        async with self._alone, AsyncExitStack() as held:
            for _ in range(self._count):
                await held.enter_async_context(self._free)
            yield
