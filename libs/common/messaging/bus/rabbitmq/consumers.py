"""Who takes messages: a consumer of a work queue, and a listener with a queue of its own."""

import asyncio
from collections.abc import Sequence

import structlog
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from libs.common.errors import FindMeError
from libs.common.messaging.bus.mailbox import Mailbox
from libs.common.messaging.bus.protocol import Delivery, Handler
from libs.common.messaging.bus.rabbitmq import envelope
from libs.common.messaging.bus.rabbitmq.connection import (
    OPERATION_SECONDS,
    ChannelUser,
    Feed,
    Link,
    Publisher,
)
from libs.common.messaging.bus.rabbitmq.layout import retry_routing_key
from libs.common.messaging.bus.retry import DeadLetter, Decision, Retry
from libs.common.messaging.bus.subscriptions import (
    Done,
    Outcome,
    Requeue,
    count_outcome,
    handle,
    unless_set,
)
from libs.common.messaging.bus.topology import (
    DEAD_LETTER_EXCHANGE,
    EVENTS_EXCHANGE,
    RETRY_EXCHANGE,
    Queue,
)

log = structlog.get_logger(__name__)

HOLD_SECONDS = 1.0


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
            delivery = envelope.delivered(message, self._queue.name)
            last, result = await handle(
                self._queue, self._handler, delivery, stopping=self.stopping
            )
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
        try:
            await message.ack()
        except CONNECTION_EXCEPTIONS as error:
            log.warning(
                "ack_lost", queue=delivery.queue, message_id=delivery.message_id, error=str(error)
            )
        else:
            count_outcome(self._queue.name, outcome)

    async def _is_passed_on(self, delivery: Delivery, decision: Decision) -> bool:
        """Publish the copy that replaces the message; only then may the original be acked."""
        try:
            match decision:
                case Retry(delay_seconds):
                    await self._publisher.publish(
                        RETRY_EXCHANGE,
                        retry_routing_key(self._queue, delay_seconds),
                        envelope.for_retry(delivery),
                    )
                case DeadLetter(reason):
                    await self._publisher.publish(
                        DEAD_LETTER_EXCHANGE,
                        delivery.routing_key,
                        envelope.for_dead_letters(delivery, reason),
                    )
        except FindMeError as error:
            log.error("message_held", queue=delivery.queue, error=str(error))  # noqa: TRY400
            return False
        return True


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
