"""The bus on RabbitMQ."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from libs.common.messaging.bus.mailbox import Mailbox
from libs.common.messaging.bus.protocol import (
    BusUnavailable,
    Handler,
    OutgoingMessage,
    Subscription,
)
from libs.common.messaging.bus.rabbitmq import envelope
from libs.common.messaging.bus.rabbitmq.connection import ChannelUser, Link, Publisher
from libs.common.messaging.bus.rabbitmq.consumers import Consumer, Listener
from libs.common.messaging.bus.rabbitmq.declare import count_waiting, verify
from libs.common.messaging.bus.subscriptions import RunningSubscription
from libs.common.messaging.bus.topology import EVENTS_EXCHANGE, Queue, Topology

log = structlog.get_logger(__name__)

CHECK_SECONDS = 3.0


class RabbitMQBus:
    """`Bus` by AMQP 0-9-1.

    Consumers have a connection of their own: a broker that runs low on memory or disk stops
    reading from connections that publish, and acks must still get through.
    """

    def __init__(self, url: str) -> None:
        self._publishing = Link(url, name="findme publisher")
        self._consuming = Link(url, name="findme consumer")
        self._publisher = Publisher(self._publishing)
        self._subscriptions: set[RunningSubscription] = set()

    async def open(self, topology: Topology) -> None:
        """Connect, and check that the broker has it all.

        A broker that is away is waited for in the background: until it comes, publishing
        raises BusUnavailable and subscriptions are quiet. Raises TopologyMissing.
        """
        connected = await self._publishing.open_when_possible()
        await self._consuming.open_when_possible()
        if connected:
            await self.verify(topology)
        else:
            log.warning("broker_unreachable_at_start")

    async def close(self) -> None:
        """Abort what still runs, and disconnect."""
        for subscription in list(self._subscriptions):
            await subscription.abort()
        await self._consuming.close()
        await self._publishing.close()

    async def verify(self, topology: Topology) -> None:
        """Check that the broker has it all. Raises TopologyMissing, BusUnavailable."""
        await verify(self._publishing.connection(), topology)

    async def publish(self, message: OutgoingMessage) -> None:
        """See `Bus.publish`."""
        await self._publisher.publish(
            EVENTS_EXCHANGE,
            message.routing_key,
            envelope.outgoing(message),
            mandatory=message.mandatory,
        )

    async def subscribe(self, queue: Queue, handler: Handler) -> Subscription:
        """See `Bus.subscribe`; raises TopologyMissing."""
        return await self._start(Consumer(self._consuming, self._publisher, queue, handler))

    async def listen(
        self,
        patterns: Sequence[str],
        handler: Handler,
        *,
        on_gap: Callable[[], Awaitable[None]],
    ) -> Subscription:
        """See `Bus.listen`; raises TopologyMissing."""
        return await self._start(Listener(self._consuming, patterns, Mailbox(handler, on_gap)))

    async def waiting(self, queue: Queue) -> int:
        """See `Bus.waiting`; raises TopologyMissing."""
        counts = await count_waiting(self._publishing.connection(), [queue.name])
        return counts[queue.name]

    async def check(self) -> None:
        """See `Bus.check`: one round trip on either connection."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                for link in (self._publishing, self._consuming):
                    async with link.connection().channel():
                        pass
        except (TimeoutError, *CONNECTION_EXCEPTIONS) as error:
            raise BusUnavailable(f"RabbitMQ does not answer: {error}") from error

    async def _start(self, user: ChannelUser) -> RunningSubscription:
        subscription = RunningSubscription(user.run(), user.stopping, name=f"bus: {user.name}")
        self._subscriptions.add(subscription)
        subscription.on_end(self._subscriptions.discard)
        subscription.on_end(lambda _: user.is_set_up())
        try:
            await user.first_try()
        except BaseException:
            await subscription.abort()
            raise
        return subscription
