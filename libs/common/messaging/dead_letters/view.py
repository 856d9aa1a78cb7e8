"""A dead letter as people and programs read it."""

import orjson

from libs.common.messaging.dead_letters.repository import DeadLetterRow


def summary(letter: DeadLetterRow) -> dict[str, object]:
    """Return the letter without its body."""
    return {
        "id": letter.id,
        "queue": letter.queue,
        "routing_key": letter.routing_key,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "died_at": letter.died_at,
        "message_id": letter.message_id,
    }


def details(letter: DeadLetterRow) -> dict[str, object]:
    """Return all of the letter; a body that is not JSON is shown as text."""
    return summary(letter) | {"body": _decoded(letter.body)}


def _decoded(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="backslashreplace")
