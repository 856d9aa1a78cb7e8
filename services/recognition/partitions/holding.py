"""One partition in this replica's hands, from its claim until its row may be released."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from libs.common.errors import FindMeError
from libs.common.messaging.bus.protocol import Subscription
from libs.common.messaging.bus.subscriptions import SubscriptionEnded, unless_set

log = structlog.get_logger(__name__)

SUBSCRIBE_AGAIN_SECONDS = 1.0


class Holding:
    """Consumes the partition until told to end; its tasks never wait for the database."""

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
        self._subscribe = subscribe
        self._on_start = on_start
        self._ending = asyncio.Event()
        self._life = asyncio.create_task(self._live(), name=f"match partition {partition}")
        self._life.add_done_callback(lambda _: on_end())

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end."""
        return self._ending.is_set()

    @property
    def failure(self) -> BaseException | None:
        """Why it ended, once it has ended by itself."""
        if not self._life.done() or self._life.cancelled():
            return None
        return self._life.exception()

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
        if patience_seconds is not None:
            # Not before the task has seen the event: it cuts the stop short, then.
            asyncio.get_running_loop().call_later(max(patience_seconds, 0), self._life.cancel)

    async def _live(self) -> None:
        subscription = await self._subscribed()
        if subscription is None:
            return
        self._on_start()
        ended = asyncio.ensure_future(subscription.ended())
        ended.add_done_callback(lambda _: self._ending.set())
        try:
            await self._ending.wait()
            if ended.done():
                ended.result()
                raise SubscriptionEnded(f"partition {self.partition} is not consumed any more")
            await subscription.stop()
        finally:
            ended.cancel()

    async def _subscribed(self) -> Subscription | None:
        """Subscribe, however long the bus refuses; None when ended before."""
        while not self._ending.is_set():
            try:
                return await self._subscribe()
            except FindMeError as error:
                # Kept, not given back: the bus would refuse the others too.
                log.error(  # noqa: TRY400 - the message says it all
                    "partition_not_consumed", partition=self.partition, error=str(error)
                )
                await unless_set(asyncio.sleep(SUBSCRIBE_AGAIN_SECONDS), self._ending)
        return None
