"""The AsyncAPI 3 document of the messages between services, from their models and the topology.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from libs.common.messaging.bus.topology import (
    BUCKETS,
    DEAD_LETTERS,
    EVENTS_EXCHANGE,
    Queue,
    Topology,
    matches,
)
from libs.common.messaging.messages import Message, PhotoUploaded

VERSION: Final = "1.0.0"
#: A JSON object of the document.
Node = dict[str, Any]

_DESCRIPTION: Final = (
    "Messages are small: ids, never binaries. They are delivered at least once, from an outbox that"
    " is written with the change they tell of; whoever takes one does nothing at its second coming."
    " Readers ignore fields that they do not know."
)


def all_messages() -> list[type[Message]]:
    """Return every kind of message, by topic."""
    return sorted(Message.__subclasses__(), key=lambda kind: kind.topic)


def asyncapi_document(topology: Topology) -> Node:
    """Return the document: a channel for each topic and each queue, and who does what with them."""
    kinds = all_messages()
    schemas = models_json_schema(
        [(kind, "serialization") for kind in kinds], ref_template="#/components/schemas/{model}"
    )[1]["$defs"]
    channels: Node = {}
    operations: Node = {}
    for kind in kinds:
        channels[kind.topic] = _topic_channel(kind)
        operations[f"send {kind.topic}"] = _operation("send", kind.topic, [kind])
    for queue in topology.queues:
        taken = [kind for kind in kinds if _is_bound(queue, kind)]
        channels[queue.name] = _queue_channel(queue, taken)
        operations[f"receive {queue.name}"] = _operation("receive", queue.name, taken)
    # What was given up may be any of them.
    channels[DEAD_LETTERS.name] = _queue_channel(DEAD_LETTERS, kinds)
    operations[f"receive {DEAD_LETTERS.name}"] = _operation("receive", DEAD_LETTERS.name, kinds)
    # Each replica has a queue of its own for these, which lives as long as it does.
    for kind in kinds:
        if not any(_is_bound(queue, kind) for queue in topology.queues):
            operations[f"receive {kind.topic}"] = _operation("receive", kind.topic, [kind])
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "FindMe", "version": VERSION, "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in kinds},
            "schemas": schemas,
        },
    }


def _message(kind: type[Message]) -> Node:
    return {
        "name": kind.topic,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").partition("\n")[0],
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }


def _topic_channel(kind: type[Message]) -> Node:
    return {
        "address": f"{kind.topic}.{{bucket}}",
        "description": "All of an event's messages have the same bucket, two digits; of photos that"
        " are uploaded while many of their event wait, it is 16 more.",
        "messages": _messages([kind]),
        "parameters": {"bucket": {"enum": [f"{bucket:02d}" for bucket in _buckets(kind)]}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": EVENTS_EXCHANGE,
                    "type": "topic",
                    "durable": True,
                    "autoDelete": False,
                },
            }
        },
    }


def _queue_channel(queue: Queue, kinds: Sequence[type[Message]]) -> Node:
    return {
        "address": queue.name,
        "description": f"Bound to {', '.join(queue.bindings) or 'the dead-letter exchange'}.",
        "messages": _messages(kinds),
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": queue.name,
                    "durable": True,
                    "exclusive": False,
                    "autoDelete": False,
                },
            }
        },
    }


def _messages(kinds: Iterable[type[Message]]) -> Node:
    return {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in kinds}


def _operation(action: str, channel: str, kinds: Iterable[type[Message]]) -> Node:
    reference = f"#/channels/{channel}"
    return {
        "action": action,
        "channel": {"$ref": reference},
        "messages": [{"$ref": f"{reference}/messages/{kind.__name__}"} for kind in kinds],
    }


def _is_bound(queue: Queue, kind: type[Message]) -> bool:
    return any(
        matches(pattern, f"{kind.topic}.{bucket:02d}")
        for pattern in queue.bindings
        for bucket in _buckets(kind)
    )


def _buckets(kind: type[Message]) -> range:
    return range(2 * BUCKETS if kind is PhotoUploaded else BUCKETS)
