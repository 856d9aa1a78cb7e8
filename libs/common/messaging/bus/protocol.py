"""What a message bus does for FindMe, whichever adapter does it.

Delivery is at least once: a handler may see a message twice and must not mind.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from libs.common.errors import FindMeError, Unavailable
from libs.common.messaging.bus.topology import Queue


class BusUnavailable(Unavailable):
    """The bus cannot be reached; the outcome of a publish in flight is unknown."""


class QueueFull(BusUnavailable):
    """A queue that the message is for has no room now; others may have."""


class Unroutable(FindMeError):
    """No queue is bound for a mandatory message."""

    def __init__(self, routing_key: str) -> None:
        super().__init__(f"no queue is bound for {routing_key}: run `findme migrate`")
        self.routing_key = routing_key


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message as the bus carries it."""

    routing_key: str
    body: bytes
    message_id: str
    mandatory: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Death:
    """Where and why a message was given up, after how many attempts.

    `crashed`: no attempt ended; every consumer went away with the message in hand.
    """

    queue: str
    reason: str
    attempts: int
    crashed: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as a handler gets it; `attempt` is 1 for the first.

    `waits`: how often it has waited besides for something that was away.
    A dead letter comes as it was first published, with its `death`.
    """

    queue: str
    routing_key: str
    body: bytes
    message_id: str
    attempt: int
    redelivered: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    death: Death | None = None
    waits: int = 0

    @property
    def topic(self) -> str:
        """The routing key without the bucket."""
        return self.routing_key.rpartition(".")[0]

    @property
    def is_repeat(self) -> bool:
        """Whether a handler may have had it before."""
        return self.attempt > 1 or self.waits > 0 or self.redelivered


#: Returns when the effects are committed; raising hands the decision to `bus.retry`.
Handler = Callable[[Delivery], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Batches:
    """Messages of a topic that wait next to each other, and may be handled in one go.

    `handle` gets two or more, in the order of their queue, and no more than its prefetch. Nothing
    is waited for: what is there is taken. Where it raises, each of them is handled by itself, as if
    the batch had not been tried: one that fails takes no other along.
    """

    topic: str
    handle: Callable[[Sequence[Delivery]], Awaitable[None]]

    def take(self, delivery: Delivery) -> bool:
        """Whether the message may be one of a batch.

        One that a process may have died with is handled alone, so that it can take no others along.
        """
        return delivery.topic == self.topic and not delivery.redelivered


class Intake(Protocol):
    """Something that takes messages and can be asked to take no more."""

    async def stop(self) -> None:
        """Stop dispatching, finish and settle the message in hand, then let go of the queue.

        Cancelled while it waits: the message in hand goes back to the queue unsettled.
        """


class Subscription(Intake, Protocol):
    """A running consumer of one queue."""

    async def ended(self) -> None:
        """Return once it has ended; raises what it ended by, if that was an error."""


class Bus(Protocol):
    """Publish with confirms, consume work queues, listen to broadcasts."""

    async def publish(self, message: OutgoingMessage) -> None:
        """Return once the bus has taken responsibility for the message.

        Raises BusUnavailable or Unroutable (mandatory messages only). A bounded queue
        that is full makes this wait, and raise QueueFull; it never drops.
        """

    async def subscribe(
        self, queue: Queue, handler: Handler, *, batches: Batches | None = None
    ) -> Subscription:
        """Consume a work queue, `queue.prefetch` messages at a time.

        Several subscribers of one queue compete; of a `single_active` queue only one gets
        messages, in order, and another takes over when it goes. With `batches` those of one topic
        that wait there together are handled together.
        """

    async def listen(
        self,
        patterns: Sequence[str],
        handler: Handler,
        *,
        on_gap: Callable[[], Awaitable[None]],
    ) -> Subscription:
        """Get a copy of every message whose routing key matches one of the patterns.

        `*` stands for one dot-separated word. Messages are not kept for a listener that
        is away; `on_gap` is called when some may have been missed.
        """

    async def waiting(self, queues: Sequence[Queue]) -> Mapping[str, int]:
        """Return, by the work queue's name, how many messages nobody has been given yet.

        Those that wait for their next attempt are not counted. Raises BusUnavailable.
        """

    async def check(self) -> None:
        """Raise BusUnavailable when the bus cannot be used now."""
