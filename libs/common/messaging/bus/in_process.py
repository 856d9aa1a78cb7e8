"""The bus inside one process: RabbitMQ's semantics without a broker.

It forgets everything when the process ends; the outbox and the reconciler bring it back.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from libs.common.messaging.bus.mailbox import Mailbox
from libs.common.messaging.bus.protocol import (
    Batches,
    BusUnavailable,
    Death,
    Delivery,
    Handler,
    OutgoingMessage,
    QueueFull,
    Subscription,
    Unroutable,
)
from libs.common.messaging.bus.retry import DeadLetter, Decision, Retry
from libs.common.messaging.bus.subscriptions import (
    DONE,
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
from libs.common.messaging.bus.topology import DEAD_LETTER_QUEUE, Queue, Topology, matches
from libs.common.messaging.bus.work_queue import WorkQueue

#: Messages per queue, of a few hundred bytes each; the rest waits in the outbox.
QUEUE_CAPACITY = 10_000
#: Others wait as long behind a message without room; the relay tries it again by itself.
PUBLISH_SECONDS = 0.5


class InProcessBus:
    """`Bus` for a deployment in which all services share one process."""

    def __init__(
        self,
        topology: Topology,
        *,
        queue_capacity: int = QUEUE_CAPACITY,
        publish_seconds: float = PUBLISH_SECONDS,
    ) -> None:
        self._queues = {
            queue.name: WorkQueue(queue, queue_capacity)
            for queue in (*topology.queues, topology.dead_letters)
        }
        self._dead_letters = self._queues[topology.dead_letters.name]
        self._publish_seconds = publish_seconds
        self._listeners: dict[Mailbox, tuple[str, ...]] = {}
        self._subscriptions: set[RunningSubscription] = set()
        self._is_closed = False

    async def publish(self, message: OutgoingMessage) -> None:
        """See `Bus.publish`; a full queue is waited for, up to `publish_seconds`."""
        await self.check()
        key = message.routing_key
        queues = [
            queue
            for queue in self._queues.values()
            if any(matches(binding, key) for binding in queue.queue.bindings)
        ]
        mailboxes = [
            mailbox
            for mailbox, patterns in self._listeners.items()
            if any(matches(pattern, key) for pattern in patterns)
        ]
        if message.mandatory and not queues and not mailboxes:
            raise Unroutable(key)
        for queue in queues:
            try:
                async with asyncio.timeout(self._publish_seconds):
                    await queue.put(_delivery(message, queue.queue.name))
            except TimeoutError as error:
                raise QueueFull(f"{queue.queue.name} is full") from error
        for mailbox in mailboxes:
            mailbox.offer(_delivery(message, ""))

    async def subscribe(
        self, queue: Queue, handler: Handler, *, batches: Batches | None = None
    ) -> Subscription:
        """See `Bus.subscribe`."""
        await self.check()
        stopping = asyncio.Event()
        source = self._queues[queue.name]
        consumer = _Consumer(source, queue, handler, batches, stopping, self._dead_letters)
        return self._start(consumer.run(), stopping, name=queue.name, at_end=consumer.leave)

    async def listen(
        self,
        patterns: Sequence[str],
        handler: Handler,
        *,
        on_gap: Callable[[], Awaitable[None]],
    ) -> Subscription:
        """See `Bus.listen`."""
        await self.check()
        stopping = asyncio.Event()
        mailbox = Mailbox(handler, on_gap)
        self._listeners[mailbox] = tuple(patterns)

        def forget() -> None:
            del self._listeners[mailbox]

        return self._start(mailbox.run(stopping), stopping, name="listener", at_end=forget)

    async def waiting(self, queues: Sequence[Queue]) -> Mapping[str, int]:
        """See `Bus.waiting`."""
        await self.check()
        return {queue.name: self._queues[queue.name].waiting for queue in queues}

    async def check(self) -> None:
        """See `Bus.check`."""
        if self._is_closed:
            raise BusUnavailable("the bus is closed")

    async def close(self) -> None:
        """Abort what still runs and refuse everything further."""
        self._is_closed = True
        for subscription in list(self._subscriptions):
            await subscription.abort()
        for queue in self._queues.values():
            queue.close()

    def _start(
        self,
        run: Coroutine[Any, Any, None],
        stopping: asyncio.Event,
        *,
        name: str,
        at_end: Callable[[], None],
    ) -> RunningSubscription:
        subscription = RunningSubscription(run, stopping, name=f"bus: {name}")
        self._subscriptions.add(subscription)
        subscription.on_end(self._subscriptions.discard)
        subscription.on_end(lambda _: at_end())
        return subscription


class _Consumer:
    """Takes messages from one queue, settles them by what the handler did."""

    def __init__(
        self,
        source: WorkQueue,
        queue: Queue,
        handler: Handler,
        batches: Batches | None,
        stopping: asyncio.Event,
        dead_letters: WorkQueue,
    ) -> None:
        self._source = source
        self._queue = queue
        self._handler = handler
        self._batches = batches
        self._stopping = stopping
        self._dead_letters = dead_letters
        source.join(self)

    def leave(self) -> None:
        self._source.leave(self)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._queue.workers):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while delivery := await self._source.take(self, self._stopping):
            in_hand = deque([delivery, *self._neighbours(delivery)])
            try:
                if len(in_hand) > 1 and self._batches is not None:
                    deliveries = tuple(in_hand)
                    if await is_handled_together(self._queue, self._batches, deliveries):
                        in_hand.clear()
                        for delivery in deliveries:
                            await self._settle(delivery, DONE)
                while in_hand and await self._is_settled(in_hand[0]):
                    in_hand.popleft()
                    if self._stopping.is_set():
                        break
            finally:
                # The last one first, so that they wait in their order again.
                while in_hand:
                    self._source.give_back(in_hand.pop())

    def _neighbours(self, delivery: Delivery) -> Iterator[Delivery]:
        """Take what may be handled together with the message, as far as it is there."""
        batches = self._batches
        if batches is None or not self._queue.single_active or not batches.take(delivery):
            return
        for _ in range(self._queue.prefetch - 1):
            if (neighbour := self._source.take_next(batches.take)) is None:
                return
            yield neighbour

    async def _is_settled(self, delivery: Delivery) -> bool:
        last, result = await handle(self._queue, self._handler, delivery, stopping=self._stopping)
        return not isinstance(result, Requeue) and await self._settle(last, result)

    async def _settle(self, delivery: Delivery, result: Done | Decision) -> bool:
        """Do what was decided; False when stopped while the dead letters had no room."""
        name = self._queue.name
        match result:
            case Done():
                self._source.settle()
                count_outcome(name, Outcome.ACKED)
            case Retry():
                self._source.retry_later(again(delivery, result), result.delay_seconds)
                count_outcome(name, Outcome.RETRIED)
            case DeadLetter(reason):
                # Held while there is no room, as a broker's consumer holds it: never dropped.
                while not self._dead_letters.offer(_dead_letter(delivery, reason)):
                    await unless_set(self._dead_letters.changed(), self._stopping)
                    if self._stopping.is_set():
                        return False
                self._source.settle()
                count_outcome(name, Outcome.DEAD_LETTERED)
        return True


def _dead_letter(delivery: Delivery, reason: str) -> Delivery:
    return replace(
        delivery,
        queue=DEAD_LETTER_QUEUE,
        attempt=1,
        redelivered=False,
        death=Death(queue=delivery.queue, reason=reason, attempts=delivery.attempt),
    )


def _delivery(message: OutgoingMessage, queue: str) -> Delivery:
    return Delivery(
        queue=queue,
        routing_key=message.routing_key,
        body=message.body,
        message_id=message.message_id,
        attempt=1,
        redelivered=False,
        headers=message.headers,
    )
