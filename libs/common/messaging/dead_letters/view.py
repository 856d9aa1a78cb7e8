"""What operators see of dead letters: each as people and programs read it, and how many wait."""

import asyncio
from contextlib import suppress

import orjson

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.messaging.dead_letters import repository
from libs.common.messaging.dead_letters.repository import DeadLetterRow
from libs.common.telemetry import metrics
from libs.common.telemetry.questions import Question


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


async def watch_dead_letters(database: Database, *, every_seconds: float = 5.0) -> None:
    """Keep the gauge current until cancelled."""
    question = Question("dead letters")
    seen: set[str] = set()
    while True:
        with suppress(*DATABASE_ERRORS):
            async with database.read() as connection:
                counts = await repository.count_by_queue(connection)
            # A queue that has none any more says so; it does not fall silent.
            seen |= counts.keys()
            question.answer(
                {metrics.DEAD_LETTERS.labels(queue): counts.get(queue, 0) for queue in seen},
                again_in_seconds=every_seconds,
            )
        await asyncio.sleep(every_seconds)
