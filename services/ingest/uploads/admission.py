"""How many requests are served at once, how many wait for their turn, and how long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.common.errors import Unavailable

RETRY_AFTER_SECONDS = 10


class Admission:
    """Lets in a bounded number of requests; a bounded number of others waits, unread.

    Waiting costs no memory, as the server stops reading a body that nobody asks for, and it
    serves clients that never try again better than an immediate refusal.
    """

    def __init__(self, *, at_once: int, waiting: int, patience_seconds: float) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._max_waiting = waiting
        self._waiting = 0
        self._patience_seconds = patience_seconds

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Hold one of the places. Raises Unavailable when the line is too long or too slow."""
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def _wait(self) -> None:
        if self._waiting >= self._max_waiting:
            raise _too_busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise _too_busy() from error
        finally:
            self._waiting -= 1


def _too_busy() -> Unavailable:
    return Unavailable(
        "Too many uploads arrive at this moment. Try again in a few seconds.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )
