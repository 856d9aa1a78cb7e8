"""Messages as RabbitMQ carries them: what goes into properties and headers, and comes out."""

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage, HeadersType

from libs.common.messaging.bus.protocol import Death, Delivery, OutgoingMessage
from libs.common.messaging.bus.topology import DEAD_LETTER_QUEUE, DELIVERY_LIMIT

ATTEMPT = "x-attempt"
WAITS = "x-waits"
MAX_ATTEMPT = 2**31 - 1
#: A message that went through a retry queue arrives under another routing key.
ROUTING_KEY = "x-routing-key"
DEAD_QUEUE = "x-dead-letter-queue"
DEAD_REASON = "x-dead-letter-reason"
#: What RabbitMQ writes when it moves a message itself: a list of deaths, the latest first.
BROKER_DEATHS = "x-death"
#: RabbitMQ's own headers start like ours; an application's do not.
RESERVED_PREFIX = "x-"


def outgoing(message: OutgoingMessage) -> Message:
    """Encode a publish; persistent, as everything here."""
    return _message(message.body, message.message_id, dict(message.headers))


def delivered(message: AbstractIncomingMessage, queue: str) -> Delivery:
    """Decode what a consumer got."""
    headers = message.headers
    is_dead = queue == DEAD_LETTER_QUEUE
    return Delivery(
        queue=queue,
        routing_key=str(headers.get(ROUTING_KEY, message.routing_key)),
        body=message.body,
        message_id=message.message_id or "",
        attempt=1 if is_dead else _attempt(headers),
        waits=0 if is_dead else _count(headers, WAITS, least=0),
        redelivered=bool(message.redelivered),
        headers={
            name: value
            for name, value in headers.items()
            if isinstance(value, str) and not name.startswith(RESERVED_PREFIX)
        },
        death=_death(headers) if is_dead else None,
    )


def for_retry(delivery: Delivery) -> Message:
    """The copy that waits, with the counts of its next attempt."""
    return _message(
        delivery.body,
        delivery.message_id,
        {
            **delivery.headers,
            ATTEMPT: delivery.attempt,
            WAITS: delivery.waits,
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


def _attempt(headers: HeadersType) -> int:
    return _count(headers, ATTEMPT, least=1)


def _count(headers: HeadersType, name: str, *, least: int) -> int:
    count = headers.get(name, least)
    # A stranger may write any number: one that no row takes would keep its letter from being kept.
    return count if isinstance(count, int) and least <= count <= MAX_ATTEMPT else least


def _death(headers: HeadersType) -> Death:
    """Tell from the headers which consumer gave the message up, or that the broker did."""
    attempts = _attempt(headers)
    if DEAD_QUEUE in headers:
        return Death(
            queue=str(headers[DEAD_QUEUE]),
            reason=str(headers.get(DEAD_REASON, "unknown")),
            attempts=attempts,
        )
    deaths = headers.get(BROKER_DEATHS)
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    if not isinstance(latest, dict):
        return Death(queue="", reason="it was put here without a reason", attempts=attempts)
    queue, reason = str(latest.get("queue", "")), str(latest.get("reason", "unknown"))
    if reason != "delivery_limit":
        return Death(queue=queue, reason=f"the broker gave it up: {reason}", attempts=attempts)
    lost = DELIVERY_LIMIT + 1
    return Death(
        queue=queue,
        reason=f"its consumer went away {lost} times with this message in hand",
        attempts=attempts - 1 + lost,
        crashed=True,
    )


def _message(body: bytes, message_id: str, headers: dict[str, str | int]) -> Message:
    return Message(
        body,
        message_id=message_id,
        headers=dict(headers),
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
    )
