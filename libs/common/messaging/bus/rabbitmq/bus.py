"""The bus on RabbitMQ, and who takes its messages: consumers of work queues, and listeners."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from libs.common.errors import FindMeError
from libs.common.messaging.bus.mailbox import Mailbox
from libs.common.messaging.bus.protocol import (
    Batches,
    BusUnavailable,
    Delivery,
    Handler,
    OutgoingMessage,
    Subscription,
)
from libs.common.messaging.bus.rabbitmq import envelope
from libs.common.messaging.bus.rabbitmq.connection import (
    OPERATION_SECONDS,
    ChannelUser,
    Feed,
    Link,
    Publisher,
)
from libs.common.messaging.bus.rabbitmq.declare import count_waiting, verify
from libs.common.messaging.bus.rabbitmq.layout import retry_routing_key
from libs.common.messaging.bus.retry import DeadLetter, Decision, Retry
from libs.common.messaging.bus.subscriptions import (
    Done,
    Outcome,
    Requeue,
    RunningSubscription,
    again,
    count_outcome,
    handle,
    is_handled_together,
    unless_set,
)
from libs.common.messaging.bus.topology import (
    DEAD_LETTER_EXCHANGE,
    EVENTS_EXCHANGE,
    RETRY_EXCHANGE,
    Queue,
    Topology,
)

log = structlog.get_logger(__name__)

CHECK_SECONDS = 3.0
#: Between attempts to pass on what was given up or waits; the original is held meanwhile.
HOLD_SECONDS = 1.0


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

    async def subscribe(
        self, queue: Queue, handler: Handler, *, batches: Batches | None = None
    ) -> Subscription:
        """See `Bus.subscribe`; raises TopologyMissing."""
        return await self._start(
            BatchConsumer(self._consuming, self._publisher, queue, handler, batches)
            if batches is not None and queue.single_active
            else Consumer(self._consuming, self._publisher, queue, handler)
        )

    async def listen(
        self,
        patterns: Sequence[str],
        handler: Handler,
        *,
        on_gap: Callable[[], Awaitable[None]],
    ) -> Subscription:
        """See `Bus.listen`; raises TopologyMissing."""
        return await self._start(Listener(self._consuming, patterns, Mailbox(handler, on_gap)))

    async def waiting(self, queues: Sequence[Queue]) -> Mapping[str, int]:
        """See `Bus.waiting`; raises TopologyMissing. One channel serves all of them."""
        return await count_waiting(self._publishing.connection(), [queue.name for queue in queues])

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


class Consumer(ChannelUser):
    """Hands a queue's messages to the handler and settles them by what it did.

    Nothing is ever rejected: a message is acked, or it goes back when the channel closes.
    (Cancelling the consumer first would let another one start beside it on quorum queues.)
    """

    def __init__(self, link: Link, publisher: Publisher, queue: Queue, handler: Handler) -> None:
        super().__init__(link, name=f"queue {queue.name}")
        self.prefetch = queue.prefetch
        self._publisher = publisher
        self._queue = queue
        self._handler = handler

    async def work(self, feed: Feed) -> None:
        await feed.consume(self._queue.name)
        self.is_set_up()
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._queue.workers):
                workers.create_task(self._work(feed))

    async def _work(self, feed: Feed) -> None:
        while message := await feed.next(self.stopping):
            await self.handle_alone(feed, message)

    async def handle_alone(self, feed: Feed, message: AbstractIncomingMessage) -> None:
        """Hand the message to the handler, and settle it by what that did."""
        delivery = envelope.delivered(message, self._queue.name)
        last, result = await handle(self._queue, self._handler, delivery, stopping=self.stopping)
        if not isinstance(result, Requeue):
            await self._settle(feed, message, last, result)

    async def _settle(
        self,
        feed: Feed,
        message: AbstractIncomingMessage,
        delivery: Delivery,
        result: Decision | Done,
    ) -> None:
        match result:
            case Done():
                outcome = Outcome.ACKED
            case Retry():
                outcome = Outcome.RETRIED
            case DeadLetter():
                outcome = Outcome.DEAD_LETTERED
        if not isinstance(result, Done):
            while not await self._is_passed_on(delivery, result):
                await unless_set(asyncio.sleep(HOLD_SECONDS), self.stopping, feed.ended)
                if self.stopping.is_set() or feed.ended.is_set():
                    return
        await self.ack(message, outcome)

    async def ack(
        self, message: AbstractIncomingMessage, outcome: Outcome, *, messages: int = 1
    ) -> None:
        """Tell the broker that it may forget the last `messages` of this channel."""
        try:
            await message.ack(multiple=messages > 1)
        except CONNECTION_EXCEPTIONS as error:
            log.warning(
                "ack_lost", queue=self._queue.name, message_id=message.message_id, error=error
            )
        else:
            count_outcome(self._queue.name, outcome, attempts=messages)

    async def _is_passed_on(self, delivery: Delivery, decision: Decision) -> bool:
        """Publish the copy that replaces the message; only then may the original be acked."""
        try:
            match decision:
                case Retry():
                    await self._publisher.publish(
                        RETRY_EXCHANGE,
                        retry_routing_key(self._queue, decision.delay_seconds),
                        envelope.for_retry(again(delivery, decision)),
                    )
                case DeadLetter(reason):
                    await self._publisher.publish(
                        DEAD_LETTER_EXCHANGE,
                        delivery.routing_key,
                        envelope.for_dead_letters(delivery, reason),
                    )
        except FindMeError as error:
            log.error("message_held", queue=delivery.queue, error=error)  # noqa: TRY400
            return False
        return True


class BatchConsumer(Consumer):
    """A consumer of a single-active queue that hands over what waits there together.

    What is pushed in advance goes back when its process dies, and the broker counts that against
    each such message, as it does not know which one was in hand. So a channel begins with one
    message at a time, as long as what comes may have been the end of somebody before: only the one
    that a process really dies with is counted again and again.
    """

    def __init__(
        self, link: Link, publisher: Publisher, queue: Queue, handler: Handler, batches: Batches
    ) -> None:
        super().__init__(link, publisher, queue, handler)
        self.prefetch = 1
        self._batches = batches

    async def work(self, feed: Feed) -> None:
        await feed.consume(self._queue.name)
        self.is_set_up()
        while message := await feed.next(self.stopping):
            is_new = not message.redelivered
            await self.handle_alone(feed, message)
            if is_new:
                break
        if self.stopping.is_set() or feed.ended.is_set():
            return
        # Nothing is in hand at this moment, so a consumer that waits beside this one may be next.
        await feed.consume_more(self._queue.name, self._queue.prefetch)
        message = None
        while message := message or await feed.next(self.stopping):
            batch, message = self._with_neighbours(feed, message)
            if not await self._is_handled_together(batch):
                await self._handle_each(feed, batch)
            if self.stopping.is_set() or feed.ended.is_set():
                return

    def _with_neighbours(
        self, feed: Feed, first: AbstractIncomingMessage
    ) -> tuple[list[AbstractIncomingMessage], AbstractIncomingMessage | None]:
        """Return what is handled together, and the next message where that was taken, too."""
        batch = [first]
        if not self._is_wanted(first):
            return batch, None
        while len(batch) < self._queue.prefetch and (after := feed.next_now()) is not None:
            if not self._is_wanted(after):
                return batch, after
            batch.append(after)
        return batch, None

    def _is_wanted(self, message: AbstractIncomingMessage) -> bool:
        return self._batches.take(envelope.delivered(message, self._queue.name))

    async def _is_handled_together(self, batch: Sequence[AbstractIncomingMessage]) -> bool:
        if len(batch) == 1:
            return False
        deliveries = [envelope.delivered(message, self._queue.name) for message in batch]
        if not await is_handled_together(self._queue, self._batches, deliveries):
            return False
        await self.ack(batch[-1], Outcome.ACKED, messages=len(batch))
        return True

    async def _handle_each(self, feed: Feed, batch: Sequence[AbstractIncomingMessage]) -> None:
        for message in batch:
            await self.handle_alone(feed, message)
            if self.stopping.is_set() or feed.ended.is_set():
                return


class Listener(ChannelUser):
    """Copies matching messages into a mailbox; a lost connection is a gap."""

    def __init__(self, link: Link, patterns: Sequence[str], mailbox: Mailbox) -> None:
        super().__init__(link, name=f"exchange {EVENTS_EXCHANGE}")
        self._patterns = tuple(patterns)
        self._mailbox = mailbox

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().run())
            tasks.create_task(self._mailbox.run(self.stopping))

    async def work(self, feed: Feed) -> None:
        queue = await feed.channel.declare_queue(
            exclusive=True, auto_delete=True, timeout=OPERATION_SECONDS
        )
        for pattern in self._patterns:
            await queue.bind(EVENTS_EXCHANGE, routing_key=pattern, timeout=OPERATION_SECONDS)
        # Unacknowledged, as nothing is kept for a listener anyway; the mailbox bounds the memory.
        await feed.consume(queue.name, no_ack=True)
        if self.is_late:
            self._mailbox.report_gap()
        self.is_set_up()
        while message := await feed.next(self.stopping):
            self._mailbox.offer(envelope.delivered(message, queue=""))
