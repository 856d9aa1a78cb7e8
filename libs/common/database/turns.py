"""Whose turn it is for a connection of the pool; one is kept for looking whether it works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, WouldBlock
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common.settings import KEPT_CONNECTIONS

#: What is held for longer is replaced, while somebody waits: it may be held for long.
LONG_SECONDS = 0.1


class Turns:
    """Hands out turns for connections, in the order in which they are asked for.

    At first as many as there are connections that are kept, and then one more for each that is
    held for long. A new connection costs both sides 25 ms, and is closed when it comes back to
    those that are kept: 200 short reads of the same moment opened 90, and were through after two
    seconds instead of 0.3.

    With a table locked, requests had all of them in turn, each for `DB_LOCK_TIMEOUT`: of 20 looks
    at the readiness 12 found none within 3 s, and all replicas were taken out at once, with
    those requests that needed other tables. So the looks share a turn of their own, where there
    are more connections than a process needs at least.
    """

    def __init__(self, connections: int, *, kept: int, wait_seconds: float) -> None:
        """Of `connections` in all, the pool keeps `kept`."""
        needed = KEPT_CONNECTIONS + 2
        self._most = connections - 1 if connections > needed else connections
        self._kept = kept
        self._others = CapacityLimiter(self._turns(held_for_long=0))
        self._looks = CapacityLimiter(1)
        self._wait_seconds = wait_seconds
        self._next_count: asyncio.TimerHandle | None = None
        self._held: frozenset[object] = frozenset()

    @asynccontextmanager
    async def one(self, *, is_look: bool) -> AsyncIterator[None]:
        """Have a turn for the block. Raises the pool's own error when it does not come in time."""
        turns = self._looks if is_look else self._others
        turn = object()
        try:
            turns.acquire_on_behalf_of_nowait(turn)
        except WouldBlock:
            await self._wait(turns, turn)
        try:
            yield
        finally:
            turns.release_on_behalf_of(turn)

    async def _wait(self, turns: CapacityLimiter, turn: object) -> None:
        if self._next_count is None:
            self._held = frozenset(self._others.statistics().borrowers)
            self._count_later()
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turns.acquire_on_behalf_of(turn)
        except TimeoutError as error:
            msg = f"no database connection became free within {self._wait_seconds:g} s"
            raise PoolTimeout(msg) from error

    def _turns(self, *, held_for_long: int) -> int:
        return min(self._kept + max(held_for_long, KEPT_CONNECTIONS), self._most)

    def _count_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._next_count = loop.call_later(LONG_SECONDS, self._count)

    def _count(self) -> None:
        """Replace those that were held at the last count, too; until all are back, and enough."""
        self._next_count = None
        now = self._others.statistics()
        held = frozenset(now.borrowers)
        held_for_long = len(held & self._held)
        self._held = held
        self._others.total_tokens = self._turns(held_for_long=held_for_long)
        if now.tasks_waiting or held_for_long > KEPT_CONNECTIONS:
            self._count_later()
