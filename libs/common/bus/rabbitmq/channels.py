"""A channel of one's own, opened again whenever it is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity

from libs.common.bus.protocol import BusUnavailable
from libs.common.bus.rabbitmq.connection import Link
from libs.common.bus.rabbitmq.declare import TopologyMissing
from libs.common.bus.running import unless_set

log = structlog.get_logger(__name__)

OPERATION_SECONDS = 10.0
CLOSE_SECONDS = 5.0
REOPEN_SECONDS = 1.0


class Intake:
    """One channel and what the broker pushed over it; `ended` once nothing more will come."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel: Final = channel
        self.ended: Final = asyncio.Event()
        self._messages: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        channel.close_callbacks.add(lambda *_: self.ended.set())

    async def consume(self, queue: str, *, no_ack: bool = False) -> None:
        """Have the broker push a queue's messages, as many as the channel's prefetch allows."""
        underlay = await self.channel.get_underlay_channel()
        # The broker cancels a consumer whose queue is deleted; the channel stays open.
        underlay.on_consumer_cancel_callbacks.add(lambda _: self.ended.set())
        source = await self.channel.get_queue(queue, ensure=False)
        await source.consume(self._messages.put, no_ack=no_ack, timeout=OPERATION_SECONDS)

    async def next(self) -> AbstractIncomingMessage | None:
        """The next message, None once `ended`: what was not handed out goes back by itself."""
        return await unless_set(self.ended, self._messages.get())


class Reopening:
    """Runs a piece of work on a channel, and again on a new one when that is lost."""

    def __init__(
        self,
        link: Link,
        *,
        name: str,
        prepare: Callable[[Intake], Awaitable[None]],
        work: Callable[[Intake], Awaitable[None]],
    ) -> None:
        self._link = link
        self._name = name
        self._prepare = prepare
        self._work = work
        self._stopping = asyncio.Event()

    async def first(self) -> None:
        pass
