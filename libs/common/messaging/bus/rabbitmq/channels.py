"""A channel of one's own, opened again whenever it is lost."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Final

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity

from libs.common.messaging.bus.protocol import BusUnavailable
from libs.common.messaging.bus.rabbitmq.connection import Link, is_cancelled
from libs.common.messaging.bus.rabbitmq.declare import TopologyMissing
from libs.common.messaging.bus.running import unless_set

log = structlog.get_logger(__name__)

OPERATION_SECONDS = 10.0
CLOSE_SECONDS = 5.0
REOPEN_SECONDS = 0.5


class Intake:
    """One channel and what the broker pushed over it; `ended` once nothing more will come."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel: Final = channel
        self.ended: Final = asyncio.Event()
        self._messages: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()

    async def consume(self, queue: str, *, no_ack: bool = False) -> None:
        """Have the broker push a queue's messages, as many as the channel's prefetch allows."""
        self.channel.close_callbacks.add(self._end)
        underlay = await self.channel.get_underlay_channel()
        # The broker cancels a consumer whose queue is deleted; the channel stays open.
        underlay.on_consumer_cancel_callbacks.add(self._end)
        source = await self.channel.get_queue(queue, ensure=False)
        # The callback only passes on: aio-pika runs callbacks concurrently, and cancels those
        # that still run when the channel is lost.
        await source.consume(self._messages.put, no_ack=no_ack, timeout=OPERATION_SECONDS)

    async def next(self, stopping: asyncio.Event) -> AbstractIncomingMessage | None:
        """The next message, None when stopping or ended; what is left goes back by itself."""
        return await unless_set(self._messages.get(), stopping, self.ended)

    async def _end(self, *_: object) -> None:
        self.ended.set()


class ChannelUser(ABC):
    """Does its work on a channel, and again on a new one whenever that is lost."""

    prefetch = 0

    def __init__(self, link: Link, *, name: str) -> None:
        self.name = name
        self.stopping: Final = asyncio.Event()
        self._link = link
        self._first_try: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @abstractmethod
    async def work(self, intake: Intake) -> None:
        """Set up, call `is_set_up`, and work until `stopping` or `intake.ended`."""

    @property
    def is_late(self) -> bool:
        """Whether this is not the first try any more."""
        return self._first_try.done()

    def is_set_up(self) -> None:
        """What the subscriber asked for is in force."""
        if not self._first_try.done():
            self._first_try.set_result(None)

    async def first_try(self) -> None:
        """Wait until set up, or until the broker turned out to be away: then it comes later.

        Raises TopologyMissing.
        """
        await asyncio.shield(self._first_try)

    async def run(self) -> None:
        """Work until told to stop."""
        while not self.stopping.is_set():
            try:
                async with self._open() as intake:
                    await self.work(intake)
            except ChannelNotFoundEntity as error:
                if not self._first_try.done():
                    self._first_try.set_exception(TopologyMissing(self.name))
                    return
                log.error("queue_is_gone", consumer=self.name, error=str(error))  # noqa: TRY400
            except (BusUnavailable, TimeoutError, *CONNECTION_EXCEPTIONS) as error:
                log.info("channel_lost", consumer=self.name, error=str(error))
            except asyncio.CancelledError:
                if is_cancelled():
                    raise
            self.is_set_up()
            await unless_set(asyncio.sleep(REOPEN_SECONDS), self.stopping)
            await unless_set(self._link.is_up(), self.stopping)

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[Intake]:
        channel = self._link.connection().channel(publisher_confirms=False)
        async with asyncio.timeout(OPERATION_SECONDS):
            await channel.initialize()
        try:
            if self.prefetch:
                await channel.set_qos(self.prefetch, timeout=OPERATION_SECONDS)
            yield Intake(channel)
        finally:
            # Unsettled messages go back to the queue with this.
            with contextlib.suppress(TimeoutError, *CONNECTION_EXCEPTIONS):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await channel.close()
