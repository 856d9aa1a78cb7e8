"""Begins answers a few at a time, in the order of their requests.

Hundreds of phones that ask in the same moment would all be answered within one turn of the loop,
and whoever comes next, a new connection or a probe, would not even be heard before all of them.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable

#: Begun within a turn of the loop: a few hundredths of a second of work.
AT_A_TURN = 64


class Turns:
    """Of one event loop, shared by its connections."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, at_a_turn: int = AT_A_TURN) -> None:
        self.loop = loop
        self._at_a_turn = at_a_turn
        self._left = at_a_turn
        self._waiting: deque[Callable[[], None]] = deque()
        self._next: asyncio.Handle | None = None
        # A connection's: the next turn may be asked for by an answer, whose own is not for others.
        self._context = contextvars.copy_context()

    def begin(self, answer: Callable[[], None]) -> None:
        """Begin it now, or behind those that wait already."""
        if not self._left or self._waiting:
            self._waiting.append(answer)
            return
        self._left -= 1
        # Not at each: where few ask, to begin the count anew took as long as to find their answer.
        if self._next is None and self._left <= self._at_a_turn // 2:
            self._next = self._soon()
        answer()

    def _turn(self) -> None:
        self._left = self._at_a_turn
        self._next = self._soon() if self._waiting else None
        while self._left and self._waiting:
            self._left -= 1
            self._waiting.popleft()()

    def _soon(self) -> asyncio.Handle:
        return self.loop.call_soon(self._turn, context=self._context)
