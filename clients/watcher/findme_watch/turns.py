"""Whose turn it is to upload, over all folders of this program."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from findme_watch.pace import Pace, pause_seconds


class Turns:
    """Lets as many run as the pace says, the first that asked first, and nobody in a pause."""

    def __init__(self, most: int, *, rng: random.Random | None = None) -> None:
        self._pace = Pace(most)
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resume_at = 0.0
        self._failed_at = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._succeeded_at = asyncio.get_running_loop().time()

    @property
    def pace(self) -> Pace:
        """The pace at this moment."""
        return self._pace

    @property
    def paused_seconds(self) -> float:
        """For how long nobody's turn will come from now on."""
        return max(0.0, self._resume_at - asyncio.get_running_loop().time())

    @property
    def silent_seconds(self) -> float:
        """For how long nothing has gone well."""
        return asyncio.get_running_loop().time() - self._succeeded_at

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["Turn"]:
        """Wait for a turn and hold it for the length of the block."""
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        self._let_in()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._running -= 1
            self._let_in()
            raise
        try:
            yield Turn(self, asyncio.get_running_loop().time())
        finally:
            self._running -= 1
            self._let_in()

    def succeeded(self) -> None:
        """Something went well."""
        self._succeeded_at = asyncio.get_running_loop().time()
        self._pace = self._pace.after_success()

    def failed(self, began: float, retry_after: float | None) -> float:
        """Something that began at that time of the loop failed; return the pause in seconds.

        What was under way when the last failure was noticed failed with it: one broken link is
        one failure, however many uploads it took along.
        """
        now = asyncio.get_running_loop().time()
        is_another = began >= self._failed_at
        if is_another:
            self._failed_at = now
            self._pace = self._pace.after_failure()
        if is_another or retry_after is not None:
            pause = pause_seconds(self._pace.failures, retry_after=retry_after, rng=self._rng)
            self._resume_at = max(self._resume_at, now + pause)
        return self.paused_seconds

    def _let_in(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if pause := self.paused_seconds:
            if self._waiting:
                self._alarm = asyncio.get_running_loop().call_later(pause, self._let_in)
            return
        while self._waiting and self._running < self._pace.limit:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                self._running += 1


class Turn:
    """An upload's turn, to which it says how it went."""

    def __init__(self, turns: Turns, began: float) -> None:
        self._turns = turns
        self._began = began

    def succeeded(self) -> None:
        """The server answered as it should, be it that it refused the file."""
        self._turns.succeeded()

    def failed(self, retry_after: float | None = None) -> float:
        """The network or the server failed; return for how long both are left alone."""
        return self._turns.failed(self._began, retry_after)
