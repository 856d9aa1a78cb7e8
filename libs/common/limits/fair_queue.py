"""Whose turn it is: work of which only so much goes on at once, shared fairly by its sources.

Whoever sends a hundred of something waits for their own; the next of others comes in between.
Method: round robin over the sources (Nagle, "On Packet Switches with Infinite Storage", RFC 970).
"""

import asyncio
import math
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final

from prometheus_client import Gauge, Histogram

from libs.common.errors import Unavailable

#: How much the last turn says of how long the next one takes.
SMOOTHING: Final = 0.1
#: What is told as the wait is never more: nobody comes back after an hour.
MAX_RETRY_AFTER_SECONDS: Final = 120
#: Above, it is said how many.
A_FEW_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class QueueMetrics:
    """By `line`: how many wait, how long they waited, and how long one that came now would."""

    waiting: Gauge
    waited: Histogram
    estimate: Gauge


@dataclass(eq=False, slots=True)
class _Place:
    """One that waits, and how much of what there is it needs."""

    granted: asyncio.Future[None]
    size: int


class FairQueue:
    """Places for work that is heavy, and a bounded queue of those that wait for one.

    Places may be bytes: a turn has as many as it needs.
    """

    def __init__(
        self,
        *,
        at_once: int,
        max_waiting: int,
        refusal: str,
        retry_after_seconds: int,
        per_source: int | None = None,
        patience_seconds: float | None = None,
        metrics: QueueMetrics | None = None,
        line: str = "",
    ) -> None:
        """One source has at most `per_source` of the places. `refusal` is told who is refused.

        With it, when to try again: once the queue has gone down, `retry_after_seconds` at least.
        """
        self._at_once = at_once
        self._free = at_once
        self._per_source = per_source or at_once
        self._max_waiting = max_waiting
        self._patience_seconds = patience_seconds
        self._refusal = refusal
        self._retry_after_seconds = retry_after_seconds
        self._in_hand: Counter[str] = Counter()
        #: By source, in the order of their turns.
        self._queues: OrderedDict[str, deque[_Place]] = OrderedDict()
        #: Of all queues: to count them anew at each turn took a tenth of a rush.
        self._waiting = 0
        self._waiting_size = 0
        #: How long a place is held; unknown before the first one was.
        self._held_seconds: float | None = None
        self._metrics = metrics
        self._line = line
        if metrics is not None:
            metrics.estimate.labels(line).set_function(self.wait_seconds)
            metrics.waiting.labels(line).set(0)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._waiting

    def wait_seconds(self, source: str | None = None, *, size: int = 1) -> float:
        """Return about how long one of the source, or of a new one, that comes now will wait."""
        size = min(size, self._per_source)
        own = self._queues.get(source, ()) if source is not None else ()
        in_hand = self._in_hand[source] if source is not None else 0
        if self._held_seconds is None or self._has_place(size, in_hand, is_first=not own):
            return 0.0
        own_size = sum(place.size for place in own) + size
        # The others come in between: as many of each as there are of one's own.
        others = sum(
            place.size
            for other, queue in self._queues.items()
            if other != source
            for place in islice(queue, len(own) + 1)
        )
        of_all = (own_size + others) / self._at_once
        of_own = own_size / self._per_source if in_hand + size > self._per_source else 0.0
        return self._held_seconds * max(of_all, of_own)

    @asynccontextmanager
    async def turn(
        self,
        source: str,
        *,
        size: int = 1,
        waited_seconds: float = 0.0,
        further_seconds: float = 0.0,
    ) -> AsyncIterator[None]:
        """Hold a place, or `size` of them, for the block.

        Raises Unavailable when the queue is full or too slow, and at once where it is seen to be:
        what was waited for before counts, and what will be waited for afterwards.
        """
        size = min(size, self._per_source)
        self._check_patience(source, size, waited_seconds + further_seconds)
        place = self._line_up(source, size)
        self._grant()
        came = asyncio.get_running_loop().time()
        self._count_waiting()
        try:
            if not place.granted.done():
                await self._wait(place, source, waited_seconds)
            await place.granted
        except BaseException:
            self._leave(source, place)
            raise
        finally:
            self._count_waited(came)
        began = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._note_held(asyncio.get_running_loop().time() - began)
            self._release(source, size)

    def _has_place(self, size: int, in_hand: int, *, is_first: bool) -> bool:
        return is_first and self._free >= size and in_hand + size <= self._per_source

    def _check_patience(self, source: str, size: int, other_seconds: float) -> None:
        if self._patience_seconds is None:
            return
        # Everybody who waits may come first, and all of them be of this source: no wait is longer.
        longest = (self._held_seconds or 0.0) * (self._waiting_size + size)
        if longest / min(self._at_once, self._per_source) + other_seconds <= self._patience_seconds:
            return
        seconds = self.wait_seconds(source, size=size) + other_seconds
        if seconds > self._patience_seconds:
            raise self._refused(seconds)

    def _line_up(self, source: str, size: int) -> _Place:
        place = _Place(asyncio.get_running_loop().create_future(), size)
        has_place = self._has_place(
            size, self._in_hand[source], is_first=source not in self._queues
        )
        if not has_place and self.waiting >= self._max_waiting:
            self._make_room(source, size)
        self._queues.setdefault(source, deque()).append(place)
        self._add_to_waiting(place, 1)
        return place

    def _add_to_waiting(self, place: _Place, change: int) -> None:
        self._waiting += change
        self._waiting_size += change * place.size

    def _make_room(self, source: str, size: int) -> None:
        longest = max(self._queues, key=lambda one: len(self._queues[one]), default=source)
        own = len(self._queues.get(source, ()))
        if len(self._queues.get(longest, ())) <= own + 1:
            raise self._refused(self.wait_seconds(source, size=size))
        # Whoever has one more than this one keeps it: two would take turns in refusing each other.
        refused = self._queues[longest].pop()
        self._add_to_waiting(refused, -1)
        if not refused.granted.done():
            refused.granted.set_exception(
                self._refused(self.wait_seconds(longest, size=refused.size))
            )

    async def _wait(self, place: _Place, source: str, waited_seconds: float) -> None:
        if self._patience_seconds is None:
            await place.granted
            return
        try:
            async with asyncio.timeout(max(self._patience_seconds - waited_seconds, 0)):
                await asyncio.shield(place.granted)
        except TimeoutError as error:
            if not place.granted.done():
                seconds = self.wait_seconds(source, size=place.size)
                raise self._refused(seconds) from error

    def _grant(self) -> None:
        while self._queues:
            source = next((one for one in self._queues if self._may_have_more(one)), None)
            # Who needs much is not passed by those who need little.
            if source is None or self._queues[source][0].size > self._free:
                return
            place = self._queues[source].popleft()
            self._add_to_waiting(place, -1)
            self._queues.move_to_end(source)
            if not self._queues[source]:
                del self._queues[source]
            if not place.granted.done():
                self._free -= place.size
                self._in_hand[source] += place.size
                place.granted.set_result(None)

    def _may_have_more(self, source: str) -> bool:
        return self._in_hand[source] + self._queues[source][0].size <= self._per_source

    def _leave(self, source: str, place: _Place) -> None:
        """Give up: a place in the queue, or one that was given at this moment."""
        queue = self._queues.get(source, deque())
        if place in queue:
            queue.remove(place)
            self._add_to_waiting(place, -1)
            if not queue:
                del self._queues[source]
            self._grant()
        granted = place.granted
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            self._release(source, place.size)

    def _release(self, source: str, size: int) -> None:
        self._free += size
        self._in_hand[source] -= size
        if not self._in_hand[source]:
            del self._in_hand[source]
        self._grant()

    def _note_held(self, seconds: float) -> None:
        known = seconds if self._held_seconds is None else self._held_seconds
        self._held_seconds = known + SMOOTHING * (seconds - known)

    def _count_waited(self, came: float) -> None:
        if self._metrics is not None:
            seconds = asyncio.get_running_loop().time() - came
            self._metrics.waited.labels(self._line).observe(seconds)
            self._count_waiting()

    def _count_waiting(self) -> None:
        if self._metrics is not None:
            self._metrics.waiting.labels(self._line).set(self.waiting)

    def _refused(self, wait_seconds: float) -> Unavailable:
        seconds = min(math.ceil(wait_seconds), MAX_RETRY_AFTER_SECONDS)
        seconds = max(seconds, self._retry_after_seconds)
        when = "in a few seconds" if seconds <= A_FEW_SECONDS else f"in {seconds} seconds"
        return Unavailable(f"{self._refusal} Try again {when}.", retry_after_seconds=seconds)
