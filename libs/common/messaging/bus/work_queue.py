"""One work queue in memory: bounded, shared by competing consumers or owned by the first."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from libs.common.messaging.bus.protocol import Delivery
from libs.common.messaging.bus.subscriptions import unless_set
from libs.common.messaging.bus.topology import Queue


class WorkQueue:
    """Messages that wait, are in hand or wait for a retry; together at most `capacity`."""

    def __init__(self, queue: Queue, capacity: int) -> None:
        self.queue = queue
        self._capacity = min(capacity, queue.max_length)
        self._ready: deque[Delivery] = deque()
        self._held = 0
        self._consumers: list[object] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many messages nobody has taken yet, without those that wait for a retry."""
        return len(self._ready)

    def offer(self, delivery: Delivery) -> bool:
        """Append a message; False when the queue is full."""
        if len(self._ready) + self._held >= self._capacity:
            return False
        self._ready.append(delivery)
        self._notify()
        return True

    async def put(self, delivery: Delivery) -> None:
        """Append a message; wait while the queue is full."""
        while not self.offer(delivery):
            await self.changed()

    async def changed(self) -> None:
        """Wait until a message came or went."""
        await self._changed.wait()

    def join(self, consumer: object) -> None:
        """Queue up as a consumer; of a single-active queue the longest-serving one is served."""
        self._consumers.append(consumer)

    def leave(self, consumer: object) -> None:
        """Stop being a consumer; the next one takes over."""
        self._consumers.remove(consumer)
        self._notify()

    async def take(self, consumer: object, stopping: asyncio.Event) -> Delivery | None:
        """Wait for a message, None when stopping.

        The taker owes `settle`, `give_back` or `retry_later`.
        """
        while not stopping.is_set():
            if self._ready and self._serves(consumer):
                self._held += 1
                return self._ready.popleft()
            await unless_set(self._changed.wait(), stopping)
        return None

    def take_next(self, is_wanted: Callable[[Delivery], bool]) -> Delivery | None:
        """Take the next message where it is there already and wanted; see `take`."""
        if not self._ready or not is_wanted(self._ready[0]):
            return None
        self._held += 1
        return self._ready.popleft()

    def settle(self) -> None:
        """A taken message is done with."""
        self._held -= 1
        self._notify()

    def give_back(self, delivery: Delivery) -> None:
        """A taken message was not settled: it is the next one again."""
        self._held -= 1
        self._ready.appendleft(replace(delivery, redelivered=True))
        self._notify()

    def retry_later(self, delivery: Delivery, delay_seconds: float) -> None:
        """A taken message comes again, behind the others, after a delay."""

        def put_back() -> None:
            self._timers.discard(timer)
            self._held -= 1
            self._ready.append(delivery)
            self._notify()

        timer = asyncio.get_running_loop().call_later(delay_seconds, put_back)
        self._timers.add(timer)

    def close(self) -> None:
        """Forget the retries that wait."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _serves(self, consumer: object) -> bool:
        return not self.queue.single_active or self._consumers[0] is consumer

    def _notify(self) -> None:
        """Wake all who wait; whoever waits from now on waits for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()
