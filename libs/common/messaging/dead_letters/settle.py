"""Replay dead letters, or drop them.

A replay deletes the row and puts its message into the outbox in one transaction: of several
replays at once one publishes, and nothing is lost when the broker is away.
"""

import uuid
from collections.abc import Sequence
from enum import StrEnum

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import outbox
from libs.common.database.database import Database
from libs.common.messaging.bus.protocol import OutgoingMessage
from libs.common.messaging.dead_letters import repository
from libs.common.messaging.dead_letters.reopen import reopen
from libs.common.messaging.dead_letters.repository import DeadLetterRow
from libs.common.telemetry import metrics, tracing

log = structlog.get_logger(__name__)

#: Letters of one transaction when all are settled.
BATCH = 500


class Settlement(StrEnum):
    """What becomes of a dead letter."""

    #: Published again under a new id, from its first attempt.
    REPLAYED = "replayed"
    DROPPED = "dropped"


async def settle(
    letter_ids: Sequence[int], settlement: Settlement, *, database: Database
) -> list[int]:
    """Replay or drop these letters; return the ids of those that were there."""
    async with database.unit_of_work() as unit:
        letters = await repository.take(unit.connection, letter_ids)
        await _apply(unit.connection, letters, settlement)
    _tell(letters, settlement)
    return [letter.id for letter in letters]


async def settle_all(queue: str | None, settlement: Settlement, *, database: Database) -> int:
    """Replay or drop all letters (of one queue), the oldest first; return how many.

    Those that die while this runs are left: a replay that fails at once must come to its end.
    """
    async with database.read() as connection:
        up_to = await repository.newest_id(connection)
    settled = 0
    while True:
        async with database.unit_of_work() as unit:
            letters = await repository.take_oldest(
                unit.connection, queue=queue, up_to=up_to, limit=BATCH
            )
            await _apply(unit.connection, letters, settlement)
        if not letters:
            return settled
        _tell(letters, settlement)
        settled += len(letters)


async def _apply(
    connection: AsyncConnection, letters: Sequence[DeadLetterRow], settlement: Settlement
) -> None:
    if settlement is Settlement.REPLAYED:
        await reopen(connection, letters)
        await outbox.append(connection, [_again(letter) for letter in letters])


def _again(letter: DeadLetterRow) -> OutgoingMessage:
    """Its id is new: should it die again, that is another letter. Its trace goes on."""
    with tracing.continued("replay", letter.headers or {}, queue=letter.queue):
        return OutgoingMessage(
            letter.routing_key,
            letter.body,
            message_id=str(uuid.uuid4()),
            headers={**(letter.headers or {}), **tracing.headers()},
        )


def _tell(letters: Sequence[DeadLetterRow], settlement: Settlement) -> None:
    for letter in letters:
        metrics.DEAD_LETTERS_SETTLED.labels(letter.queue, settlement.value).inc()
        log.info(
            "dead_letter_settled",
            settlement=settlement.value,
            letter=letter.id,
            queue=letter.queue,
            routing_key=letter.routing_key,
            message_id=letter.message_id,
        )
