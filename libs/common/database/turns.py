"""Whose turn it is for a connection of the pool; one is kept for looking whether it works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common.settings import KEPT_CONNECTIONS


class Turns:
    """Hands out as many turns as there are connections, in the order in which they are asked for.

    With a table locked, requests had all of them in turn, each for `DB_LOCK_TIMEOUT`: of 20 looks
    at the readiness 12 found none within 3 s, and all replicas were taken out at once, with
    those requests that needed other tables. So the looks share a turn of their own, where there
    are more connections than a process needs at least.
    """

    def __init__(self, connections: int, *, wait_seconds: float) -> None:
        needed = KEPT_CONNECTIONS + 2
        self._others = asyncio.Semaphore(connections - 1 if connections > needed else connections)
        self._looks = asyncio.Semaphore(1)
        self._wait_seconds = wait_seconds

    @asynccontextmanager
    async def one(self, *, is_look: bool) -> AsyncIterator[None]:
        """Have a turn for the block. Raises the pool's own error when it does not come in time."""
        turns = self._looks if is_look else self._others
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turns.acquire()
        except TimeoutError as error:
            msg = f"no database connection became free within {self._wait_seconds:g} s"
            raise PoolTimeout(msg) from error
        try:
            yield
        finally:
            turns.release()
