"""A consumer's running: one message from its handler to a decision, and how it is asked to stop."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, NoReturn, Self, TypeVar

import structlog
from opentelemetry.trace import Span, SpanKind
from prometheus_client import Counter, Histogram

from libs.common import tasks
from libs.common.errors import FindMeError
from libs.common.messaging.bus.protocol import Batches, Delivery, Handler, Intake, Subscription
from libs.common.messaging.bus.retry import DeadLetter, Decision, Retry, decide
from libs.common.messaging.bus.topology import Queue
from libs.common.telemetry import tracing

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Longer than nearly every photo takes, shorter than Kubernetes' usual patience of 30 s.
STOP_DEADLINE_SECONDS = 20.0


class Outcome(StrEnum):
    """What became of one attempt at a message."""

    ACKED = "acked"
    RETRIED = "retried"
    DEAD_LETTERED = "dead_lettered"


MESSAGES = Counter(
    "findme_bus_messages_total",
    "Attempts at messages, by what became of them.",
    ["queue", "outcome"],
)
HANDLING_SECONDS = Histogram(
    "findme_bus_handling_seconds",
    "Seconds a handler took for one attempt.",
    ["queue"],
    buckets=(0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
LISTENER_GAPS = Counter(
    "findme_bus_listener_gaps_total", "Times that a listener may have missed messages."
)


def count_outcome(queue: str, outcome: Outcome, *, attempts: int = 1) -> None:
    """Count attempts, each of another message."""
    MESSAGES.labels(queue, outcome.value).inc(attempts)


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
        count_outcome(queue.name, Outcome.RETRIED)
        await unless_set(asyncio.sleep(decision.delay_seconds), stopping)
        if stopping.is_set():
            return delivery, REQUEUE
        delivery = again(delivery, decision)


async def is_handled_together(
    queue: Queue, batches: Batches, deliveries: Sequence[Delivery]
) -> bool:
    """Run the batch's handler; False when it failed, and each is to be handled by itself."""
    try:
        with (
            HANDLING_SECONDS.labels(queue.name).time(),
            tracing.new_trace(f"process {batches.topic} together", queue=queue.name),
        ):
            await batches.handle(deliveries)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told of the message it is of
        log.warning(
            "batch_failed", queue=queue.name, topic=batches.topic, size=len(deliveries), error=error
        )
        return False
    return True


def again(delivery: Delivery, decision: Retry) -> Delivery:
    """Return the message as it is handled the next time."""
    if decision.is_wait:
        return replace(delivery, waits=delivery.waits + 1)
    return replace(delivery, attempt=delivery.attempt + 1)


async def _attempt(queue: Queue, handler: Handler, delivery: Delivery) -> Decision | Done:
    try:
        with HANDLING_SECONDS.labels(queue.name).time(), _span(delivery):
            await handler(delivery)
    except Exception as error:  # noqa: BLE001 - whatever it is, the table decides
        decision = decide(error, delivery.attempt, queue.retry, waits=delivery.waits)
        _log(queue, delivery, error, decision)
        return decision
    return DONE


def _span(delivery: Delivery) -> AbstractContextManager[Span]:
    """One per attempt, all of them below the span that published the message."""
    return tracing.continued(
        f"process {delivery.topic}",
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
        waits=delivery.waits,
    )
    match decision:
        case Retry(delay_seconds):
            about.warning(
                "message_failed",
                error=error,
                retry_in_seconds=delay_seconds,
            )
        case DeadLetter():
            about.error("message_dead_lettered", exc_info=error)


async def unless_set(work: Coroutine[Any, Any, T], *events: asyncio.Event) -> T | None:
    """Return the work's result, or None (with the work cancelled) once an event is set first."""
    if any(event.is_set() for event in events):
        work.close()
        return None
    task = asyncio.ensure_future(work)
    waiters = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait((task, *waiters), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for future in (task, *waiters):
            future.cancel()


class RunningSubscription:
    """A `Subscription` around one task, which is to return soon after `stopping` is set."""

    def __init__(
        self, run: Coroutine[Any, Any, None], stopping: asyncio.Event, *, name: str
    ) -> None:
        self._stopping = stopping
        self._task = asyncio.create_task(run, name=name)
        self._task.add_done_callback(_log_death)

    def on_end(self, callback: Callable[["RunningSubscription"], None]) -> None:
        """Have the callback called when the task has ended, however it ended."""
        self._task.add_done_callback(lambda _: callback(self))

    async def ended(self) -> None:
        """See `Subscription.ended`."""
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def stop(self) -> None:
        """See `Subscription.stop`."""
        self._stopping.set()
        try:
            await asyncio.shield(self._task)
        except asyncio.CancelledError:
            await self.abort()
            raise

    async def abort(self) -> None:
        """Cancel what is in hand; unsettled messages go back to their queue."""
        self._stopping.set()
        await tasks.end(self._task)


async def stop_all(
    intakes: Sequence[Intake], *, deadline_seconds: float = STOP_DEADLINE_SECONDS
) -> None:
    """Let all finish the message in hand; what is not done by the deadline goes back."""
    try:
        async with asyncio.timeout(deadline_seconds):
            await asyncio.gather(*(intake.stop() for intake in intakes))
    except TimeoutError:
        log.warning("work_returned_at_shutdown", deadline_seconds=deadline_seconds)


def _log_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("subscription_died", name=task.get_name(), exc_info=error)


class SubscriptionEnded(FindMeError):
    """A subscription that nobody stopped has ended."""


class LastingSubscription:
    """A subscription that ends when it is stopped; `run` notices when it ends by itself.

    `run` is the work of a background task: begun again it subscribes again, cancelled it stops.
    """

    def __init__(
        self, subscribe: Callable[[], Awaitable[Subscription]], first: Subscription
    ) -> None:
        self._subscribe = subscribe
        self._subscription: Subscription | None = first
        self._is_stopping = False

    @classmethod
    async def begin(cls, subscribe: Callable[[], Awaitable[Subscription]]) -> Self:
        """Subscribe for the first time; raises what that raises."""
        return cls(subscribe, await subscribe())

    async def run(self) -> NoReturn:
        """Wait until cancelled. Raises what the subscription ended by, or SubscriptionEnded."""
        try:
            if self._subscription is None and not self._is_stopping:
                self._subscription = await self._subscribe()
            if self._subscription is not None:
                await self._subscription.ended()
            while self._is_stopping:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            await stop_all([self])
            raise
        except BaseException:
            self._subscription = None
            raise
        self._subscription = None
        raise SubscriptionEnded("the subscription has ended")

    async def stop(self) -> None:
        """See `Intake.stop`."""
        self._is_stopping = True
        if self._subscription is not None:
            await self._subscription.stop()
