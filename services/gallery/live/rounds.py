"""What goes round hundreds of streams, a few at a time, so that what is urgent comes in between."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

#: Streams that are told in one turn of the loop: about 3 ms.
STREAMS_IN_A_TURN = 100
#: Of more the streams are told that they may have missed something.
MAX_ROUNDS = 2_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What an event's streams are told of a photo, so many in each turn."""

    event_id: int
    photo_id: int
    turns: Iterator[None]


class Rounds:
    """Rounds one after the other, in the order in which they were begun.

    The word of a new photo to 1,500 streams took 40 ms, in which no guest heard of a match.
    """

    def __init__(self, missed: Callable[[int], None]) -> None:
        """Call `missed` with an event whose streams may not have been told everything."""
        self._missed = missed
        self._rounds: deque[Round] = deque()
        self._next: asyncio.Handle | None = None

    def begin(self, round_: Round) -> None:
        """Take its first turn now, where no other one goes on, and the rest later."""
        if not self._rounds:
            if _take(round_.turns):
                return
            self._next = asyncio.get_running_loop().call_soon(self._go_on)
        self._rounds.append(round_)
        if len(self._rounds) > MAX_ROUNDS:
            events = {one.event_id for one in self._rounds}
            self.drop()
            for event_id in events:
                self._missed(event_id)

    def tells_of(self, photo_id: int) -> bool:
        """Whether a round of the photo goes on."""
        return any(one.photo_id == photo_id for one in self._rounds)

    def drop(self) -> None:
        """Forget all of them."""
        self._rounds.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _go_on(self) -> None:
        self._next = None
        first = self._rounds[0]
        try:
            is_over = _take(first.turns)
        except Exception as error:
            log.exception("live_round_failed", error=error, event_id=first.event_id)
            is_over = True
            self._missed(first.event_id)
        if is_over:
            self._rounds.popleft()
        if self._rounds:
            self._next = asyncio.get_running_loop().call_soon(self._go_on)


def _take(turns: Iterator[None]) -> bool:
    """Take one turn; return whether it was the last."""
    return next(turns, StopIteration) is StopIteration
