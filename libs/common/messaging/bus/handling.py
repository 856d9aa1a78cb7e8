"""One message from its handler to a decision: timing, retry in process, and the log."""

import asyncio
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

import structlog
from opentelemetry.trace import Span, SpanKind

from libs.common.messaging.bus import metrics
from libs.common.messaging.bus.protocol import Delivery, Handler
from libs.common.messaging.bus.retry import DeadLetter, Decision, Retry, decide
from libs.common.messaging.bus.running import unless_set
from libs.common.messaging.bus.topology import Queue
from libs.common.telemetry import tracing

log = structlog.get_logger(__name__)


class Done:
    """The handler succeeded."""


class Requeue:
    """The consumer stops between two attempts; the message goes back as it came."""


DONE: Final = Done()
REQUEUE: Final = Requeue()


async def handle(
    queue: Queue, handler: Handler, delivery: Delivery, *, stopping: asyncio.Event
) -> tuple[Delivery, Decision | Done | Requeue]:
    """Run the handler; return the last attempt and what the adapter has to do with it.

    Where the queue's order counts, further attempts are made here, after a pause each, so
    that nothing overtakes; a `Retry` is returned for other queues only.
    """
    while True:
        decision = await _attempt(queue, handler, delivery)
        if not isinstance(decision, Retry) or not queue.retry.keeps_order:
            return delivery, decision
        metrics.count(queue.name, metrics.Outcome.RETRIED)
        await unless_set(asyncio.sleep(decision.delay_seconds), stopping)
        if stopping.is_set():
            return delivery, REQUEUE
        delivery = replace(delivery, attempt=delivery.attempt + 1)


async def _attempt(queue: Queue, handler: Handler, delivery: Delivery) -> Decision | Done:
    try:
        with metrics.HANDLING_SECONDS.labels(queue.name).time(), _span(delivery):
            await handler(delivery)
    except Exception as error:  # noqa: BLE001 - whatever it is, the table decides
        decision = decide(error, delivery.attempt, queue.retry)
        _log(queue, delivery, error, decision)
        return decision
    return DONE


def _span(delivery: Delivery) -> AbstractContextManager[Span]:
    """One per attempt, all of them below the span that published the message."""
    return tracing.continued(
        f"process {delivery.routing_key.rpartition('.')[0]}",
        delivery.headers,
        SpanKind.CONSUMER,
        queue=delivery.queue,
        routing_key=delivery.routing_key,
        message_id=delivery.message_id,
        attempt=delivery.attempt,
    )


def _log(queue: Queue, delivery: Delivery, error: Exception, decision: Decision) -> None:
    about = log.bind(
        queue=queue.name,
        routing_key=delivery.routing_key,
        message_id=delivery.message_id,
        attempt=delivery.attempt,
    )
    match decision:
        case Retry(delay_seconds):
            about.warning(
                "message_failed",
                error=f"{type(error).__name__}: {error}",
                retry_in_seconds=delay_seconds,
            )
        case DeadLetter():
            about.error("message_dead_lettered", exc_info=error)
