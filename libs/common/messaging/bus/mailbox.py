"""A listener's bounded buffer: what does not fit becomes one gap, never memory."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog
from opentelemetry.trace import SpanKind

from libs.common.messaging.bus.protocol import Delivery, Handler
from libs.common.messaging.bus.subscriptions import LISTENER_GAPS, unless_set
from libs.common.telemetry import tracing

log = structlog.get_logger(__name__)

CAPACITY = 1000


class Mailbox:
    """Hands broadcasts to a listener one by one; after a gap it calls `on_gap` instead.

    A handler that fails has missed its message, which is a gap too.
    """

    def __init__(
        self,
        handler: Handler,
        on_gap: Callable[[], Awaitable[None]],
        *,
        capacity: int = CAPACITY,
    ) -> None:
        self._handler = handler
        self._on_gap = on_gap
        self._capacity = capacity
        self._waiting: deque[Delivery] = deque()
        self._has_gap = False
        self._wake = asyncio.Event()

    def offer(self, delivery: Delivery) -> None:
        """Buffer a message; when the buffer is full, all of it becomes a gap."""
        if len(self._waiting) >= self._capacity:
            self.report_gap()
            return
        self._waiting.append(delivery)
        self._wake.set()

    def report_gap(self) -> None:
        """Messages may have been missed: what is buffered is older than the reload to come."""
        LISTENER_GAPS.inc()
        self._waiting.clear()
        self._has_gap = True
        self._wake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Hand out messages until told to stop."""
        while not stopping.is_set():
            self._wake.clear()
            if self._has_gap:
                self._has_gap = False
                await self._guarded(self._on_gap())
            elif self._waiting:
                delivery = self._waiting.popleft()
                if not await self._guarded(self._handle(delivery)):
                    self.report_gap()
                # Of a thousand that wait all would be handed out in one turn of the loop.
                await asyncio.sleep(0)
            else:
                await unless_set(self._wake.wait(), stopping)

    async def _handle(self, delivery: Delivery) -> None:
        topic, key = delivery.routing_key.rpartition(".")[0], delivery.routing_key
        with tracing.continued(
            f"hear {topic}", delivery.headers, SpanKind.CONSUMER, routing_key=key
        ):
            await self._handler(delivery)

    @staticmethod
    async def _guarded(work: Awaitable[None]) -> bool:
        try:
            await work
        except Exception:
            log.exception("listener_failed")
            return False
        return True
