"""Messages as RabbitMQ carries them: what goes into properties and headers, and comes out."""

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from libs.common.bus.protocol import Delivery, OutgoingMessage

ATTEMPT = "x-attempt"
#: A message that went through a retry queue arrives under another routing key.
ROUTING_KEY = "x-routing-key"
DEAD_QUEUE = "x-dead-letter-queue"
DEAD_REASON = "x-dead-letter-reason"
#: RabbitMQ's own headers start like ours; an application's do not.
RESERVED_PREFIX = "x-"


def outgoing(message: OutgoingMessage) -> Message:
    """Encode a publish; persistent, as everything here."""
    return _message(message.body, message.message_id, dict(message.headers))


def delivered(message: AbstractIncomingMessage, queue: str) -> Delivery:
    """Decode what a consumer got."""
    headers = message.headers
    attempt = headers.get(ATTEMPT, 1)
    return Delivery(
        queue=queue,
        routing_key=str(headers.get(ROUTING_KEY, message.routing_key)),
        body=message.body,
        message_id=message.message_id or "",
        attempt=attempt if isinstance(attempt, int) else 1,
        redelivered=bool(message.redelivered),
        headers={
            name: value
            for name, value in headers.items()
            if isinstance(value, str) and not name.startswith(RESERVED_PREFIX)
        },
    )


def for_retry(delivery: Delivery) -> Message:
    """The copy that waits for its next attempt."""
    return _message(
        delivery.body,
        delivery.message_id,
        {
            **delivery.headers,
            ATTEMPT: delivery.attempt + 1,
            ROUTING_KEY: delivery.routing_key,
        },
    )


def for_dead_letters(delivery: Delivery, reason: str) -> Message:
    """The copy that people look at, with all that a replay needs."""
    return _message(
        delivery.body,
        delivery.message_id,
        {
            **delivery.headers,
            ATTEMPT: delivery.attempt,
            ROUTING_KEY: delivery.routing_key,
            DEAD_QUEUE: delivery.queue,
            DEAD_REASON: reason,
        },
    )


def _message(body: bytes, message_id: str, headers: dict[str, str | int]) -> Message:
    return Message(
        body,
        message_id=message_id,
        headers=dict(headers),
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
    )
