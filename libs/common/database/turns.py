"""Whose turn it is for a connection of the pool; one is kept for looking whether it works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

from anyio import CapacityLimiter, WouldBlock
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common.settings import KEPT_CONNECTIONS

#: What is held for longer is replaced, while somebody waits: it may be held for long.
LONG_SECONDS = 0.1


class Use(Enum):
    """What a connection is wanted for."""

    #: Whether the database works, and whether those who watch still may.
    LOOK = "look"
    #: What may take long; `Database` bounds how many there are.
    SCAN = "scan"
    OTHER = "other"


class Turns:
    """Hands out turns for connections, in the order in which they are asked for.

    At first there are as many as connections that are kept, by the pool or for the process's life.
    One more there is for each scan, and for each turn that is held for long; and one more for each
    tenth of a second for which the first in line waits, until nobody does. A new connection
    costs both sides 25 ms, and is closed when it comes back to those that are kept: 200 short reads
    of the same moment opened 90, and were through after two seconds instead of 0.3.

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
        self._wait_seconds = wait_seconds
        self._scans: set[object] = set()
        #: Those who wait, in their order, and who was the first of them at the last count.
        self._line: dict[object, None] = {}
        self._first: object | None = None
        #: Those that were held at the last count, and how many of them at the one before, too.
        self._held: frozenset[object] = frozenset()
        self._held_for_long = 0
        self._added = 0
        self._next_count: asyncio.TimerHandle | None = None
        self._others = CapacityLimiter(self._there_are())
        self._looks = CapacityLimiter(1)

    @asynccontextmanager
    async def one(self, use: Use = Use.OTHER) -> AsyncIterator[None]:
        """Have a turn for the block. Raises the pool's own error when it does not come in time."""
        turns = self._looks if use is Use.LOOK else self._others
        turn = object()
        if use is Use.SCAN:
            self._scans.add(turn)
            turns.total_tokens = self._there_are()
        try:
            try:
                turns.acquire_on_behalf_of_nowait(turn)
            except WouldBlock:
                await self._wait(turns, turn)
            try:
                yield
            finally:
                turns.release_on_behalf_of(turn)
        finally:
            if use is Use.SCAN:
                self._scans.discard(turn)
                turns.total_tokens = self._there_are()

    async def _wait(self, turns: CapacityLimiter, turn: object) -> None:
        if turns is self._others:
            self._line[turn] = None
            if self._next_count is None:
                self._first = turn
                self._held = frozenset(turns.statistics().borrowers)
                self._count_later()
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turns.acquire_on_behalf_of(turn)
        except TimeoutError as error:
            msg = f"no database connection became free within {self._wait_seconds:g} s"
            raise PoolTimeout(msg) from error
        finally:
            self._line.pop(turn, None)

    def _there_are(self) -> int:
        for_long = max(self._held_for_long, KEPT_CONNECTIONS)
        return min(self._kept + len(self._scans) + for_long + self._added, self._most)

    def _count_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._next_count = loop.call_later(LONG_SECONDS, self._count)

    def _count(self) -> None:
        """See who holds and who waits, as at the last count, and change how many turns there are.

        Until those that are held for long are back, nobody waits, and what was added is gone.
        """
        self._next_count = None
        held = frozenset(self._others.statistics().borrowers)
        self._held_for_long = len((held & self._held) - self._scans)
        self._held = held
        first = next(iter(self._line), None)
        if first is None:
            self._added = max(self._added - 1, 0)
        elif first is self._first and self._there_are() < self._most:
            self._added += 1
        self._first = first
        self._others.total_tokens = self._there_are()
        if first is not None or self._added or self._held_for_long > KEPT_CONNECTIONS:
            self._count_later()
