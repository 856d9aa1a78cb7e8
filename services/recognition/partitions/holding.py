"""One partition in this replica's hands, from its claim until its row may be released."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from libs.common.background import MAX_PAUSE_SECONDS, SETTLED_SECONDS
from libs.common.messaging.bus.protocol import Subscription
from libs.common.messaging.bus.subscriptions import SubscriptionEnded, unless_set
from libs.common.telemetry import failures, metrics

log = structlog.get_logger(__name__)

#: The background task that all partitions are part of, as it is named in metrics.
TASK = "match partitions"
#: The first pause after a subscription ended by itself; each further one is twice as long.
SUBSCRIBE_AGAIN_SECONDS = 1.0


class Holding:
    """Consumes the partition until told to end; its tasks never wait for the database.

    A subscription that ends by itself is made again, while the others go on.
    """

    def __init__(
        self,
        partition: int,
        epoch: int,
        subscribe: Callable[[], Awaitable[Subscription]],
        *,
        on_start: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self.partition: Final = partition
        self.epoch: Final = epoch
        #: The lease is over or taken: nothing more may be handled, and nothing is renewed.
        self.is_lost = False
        #: Why it is not consumed, until it is again.
        self.failure: str | None = None
        self._subscribe = subscribe
        self._on_start = on_start
        self._has_started = False
        self._ending = asyncio.Event()
        #: Set when it is told to end, and when the subscription has ended.
        self._stirred = asyncio.Event()
        self._life = asyncio.create_task(self._live(), name=f"match partition {partition}")
        self._life.add_done_callback(lambda _: on_end())

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end."""
        return self._ending.is_set()

    @property
    def has_ended(self) -> bool:
        """Whether the channel is closed, so that another replica may consume."""
        return self._life.done()

    def end(self, *, patience_seconds: float | None = None) -> None:
        """Stop dispatching, finish the message in hand, ack it, close the channel.

        A message that is not finished within the patience goes back to its queue. May be
        called again with less patience.
        """
        self._ending.set()
        self._stirred.set()
        if patience_seconds is not None:
            # Not before the task has seen the event: it cuts the stop short, then.
            asyncio.get_running_loop().call_later(max(patience_seconds, 0), self._life.cancel)

    async def _live(self) -> None:
        pause = SUBSCRIBE_AGAIN_SECONDS
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                await self._consume()
            except Exception as error:  # noqa: BLE001 - whatever it was, the others are consumed
                if time.monotonic() - began >= SETTLED_SECONDS:
                    pause = SUBSCRIBE_AGAIN_SECONDS
                self._note(error, pause)
                # Kept, not given back: the bus would refuse the others too.
                await unless_set(asyncio.sleep(pause), self._ending)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)

    async def _consume(self) -> None:
        """Consume until told to end; raises what the subscription ended by."""
        subscription = await self._subscribe()
        self.failure = None
        if not self._has_started:
            self._has_started = True
            self._on_start()
        ended = asyncio.ensure_future(subscription.ended())
        ended.add_done_callback(lambda _: self._stirred.set())
        try:
            while not self._ending.is_set() and not ended.done():
                self._stirred.clear()
                await self._stirred.wait()
            if ended.done():
                ended.result()
                raise SubscriptionEnded(f"partition {self.partition} is not consumed any more")
            await subscription.stop()
        finally:
            ended.cancel()

    def _note(self, error: Exception, pause: float) -> None:
        self.failure = failures.words(error)
        metrics.BACKGROUND_FAILURES.labels(TASK).inc()
        log.error(
            "partition_not_consumed",
            partition=self.partition,
            error=self.failure,
            subscribed_again_in_seconds=pause,
        )
