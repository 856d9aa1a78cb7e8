"""A client that takes no time from the server it measures, though both are on one machine."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Self, TypeVar

T = TypeVar("T")


class PatientLoop:
    """The loop's thread waits for others from now on, without a way back for who is not root.

    On Linux a priority is a thread's, and what a thread starts inherits it.
    """

    def __init__(self, niceness: int) -> None:
        self._normal = ThreadPoolExecutor(1)
        self._niceness = niceness

    async def __aenter__(self) -> Self:
        """Start the thread of normal priority first."""
        await asyncio.get_running_loop().run_in_executor(self._normal, int)
        os.setpriority(os.PRIO_PROCESS, 0, self._niceness)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End that thread."""
        self._normal.shutdown()

    @asynccontextmanager
    async def at_normal_priority(self, context: AbstractContextManager[T]) -> AsyncIterator[T]:
        """Enter and leave a context there, which may start threads and processes."""
        loop = asyncio.get_running_loop()
        value = await loop.run_in_executor(self._normal, context.__enter__)
        try:
            yield value
        finally:
            await loop.run_in_executor(self._normal, context.__exit__, None, None, None)
