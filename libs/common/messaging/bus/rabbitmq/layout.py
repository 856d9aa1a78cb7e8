"""What a topology means in RabbitMQ: exchanges, queues with arguments, bindings. No IO."""

import hashlib
from dataclasses import dataclass

from pamqp.common import FieldValue

from libs.common.messaging.bus.topology import (
    DEAD_LETTER_EXCHANGE,
    DELIVERY_LIMIT,
    EVENTS_EXCHANGE,
    REQUEUE_EXCHANGE,
    RETRY_EXCHANGE,
    Queue,
    Topology,
)

RETRIES_KEPT = 1_000_000
#: RabbitMQ 4 gives up after 20 deliveries unless told otherwise, which here would be dropping.
#: Its word for "never", -1, is an error in RabbitMQ 3.
NO_DELIVERY_LIMIT = 1_000_000_000

Arguments = dict[str, FieldValue]

#: At least once also when the broker itself moves a message; it takes reject-publish with it.
SAFE_DEAD_LETTERING: Arguments = {
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


@dataclass(frozen=True, slots=True)
class BrokerQueue:
    """A durable quorum queue."""

    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Binding:
    """A queue's claim on routing keys of an exchange."""

    exchange: str
    queue: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything to declare; `exchanges` are (name, type) pairs."""

    exchanges: tuple[tuple[str, str], ...]
    queues: tuple[BrokerQueue, ...]
    bindings: tuple[Binding, ...]

    @property
    def marker(self) -> str:
        """The name of an exchange that stands for "all these bindings are made".

        AMQP can ask whether a queue or an exchange exists, but not for a binding.
        """
        digest = hashlib.sha256(repr(sorted(map(repr, self.bindings))).encode()).hexdigest()
        return f"findme.bindings.{digest[:12]}"


def layout(topology: Topology) -> Layout:
    """Translate a topology."""
    delays = sorted(
        {
            delay
            for queue in topology.queues
            if not queue.retry.keeps_order
            for delay in queue.retry.delays_seconds
        }
    )
    retried = [queue for queue in topology.queues if not queue.retry.keeps_order]
    return Layout(
        exchanges=(
            (EVENTS_EXCHANGE, "topic"),
            (RETRY_EXCHANGE, "direct"),
            (REQUEUE_EXCHANGE, "topic"),
            (DEAD_LETTER_EXCHANGE, "topic"),
        ),
        queues=(
            _dead_letter_queue(topology.dead_letters),
            *(_retry_queue(delay) for delay in delays),
            *(_work_queue(queue) for queue in topology.queues),
        ),
        bindings=(
            Binding(DEAD_LETTER_EXCHANGE, topology.dead_letters.name, "#"),
            *(
                Binding(RETRY_EXCHANGE, retry_queue_name(delay), retry_routing_key(queue, delay))
                for queue in retried
                for delay in queue.retry.delays_seconds
            ),
            *(Binding(REQUEUE_EXCHANGE, queue.name, f"*.{_suffix(queue)}") for queue in retried),
            *(
                Binding(EVENTS_EXCHANGE, queue.name, routing_key)
                for queue in topology.queues
                for routing_key in queue.bindings
            ),
        ),
    )


def retry_queue_name(delay_seconds: float) -> str:
    """The queue in which messages wait that long: one per delay, as mixed TTLs block each other."""
    return f"findme.retry.{_label(delay_seconds)}"


def retry_routing_key(queue: Queue, delay_seconds: float) -> str:
    """The key that leads through the delay's queue back to this queue."""
    return f"{_label(delay_seconds)}.{_suffix(queue)}"


def _label(delay_seconds: float) -> str:
    milliseconds = round(delay_seconds * 1000)
    # No dot: it would split the routing key.
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def _suffix(queue: Queue) -> str:
    return queue.name.removeprefix("findme.").replace(".", "-")


def _work_queue(queue: Queue) -> BrokerQueue:
    arguments: Arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        "x-max-length": queue.max_length,
        **SAFE_DEAD_LETTERING,
    }
    if queue.single_active:
        arguments["x-single-active-consumer"] = True
    return BrokerQueue(queue.name, arguments)


def _retry_queue(delay_seconds: float) -> BrokerQueue:
    return BrokerQueue(
        retry_queue_name(delay_seconds),
        {
            "x-queue-type": "quorum",
            "x-message-ttl": round(delay_seconds * 1000),
            "x-dead-letter-exchange": REQUEUE_EXCHANGE,
            "x-max-length": RETRIES_KEPT,
            **SAFE_DEAD_LETTERING,
        },
    )


def _dead_letter_queue(queue: Queue) -> BrokerQueue:
    return BrokerQueue(
        queue.name,
        {
            "x-queue-type": "quorum",
            "x-delivery-limit": NO_DELIVERY_LIMIT,
            "x-max-length": queue.max_length,
            "x-overflow": "reject-publish",
        },
    )
