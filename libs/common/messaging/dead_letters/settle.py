"""Replay dead letters, or drop them.

A replay deletes the row, undoes what giving the message up did to its photo or selfie, and puts
the message into the outbox, in one transaction: of several replays at once one publishes, and
nothing is lost when the broker is away.
"""

import uuid
from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

import structlog
from pydantic import ValidationError
from sqlalchemy import and_, delete, exists, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.database.tables import faces, photos, selfie_indexes
from libs.common.database.transactions import UnitOfWork
from libs.common.messaging.bus.protocol import OutgoingMessage
from libs.common.messaging.dead_letters import repository
from libs.common.messaging.dead_letters.repository import DeadLetterRow
from libs.common.messaging.messages import (
    Message,
    PhotoAnalyzed,
    PhotoUploaded,
    SelfieUnindexed,
    SelfieUploaded,
)
from libs.common.telemetry import metrics, tracing

log = structlog.get_logger(__name__)

#: Letters of one transaction when all are settled.
BATCH = 500
#: Whose faces a photo has in which no engine found any: that of no engine there is.
UNKNOWN_ENGINE = "unknown"
M = TypeVar("M", bound=Message)


class Settlement(StrEnum):
    """What becomes of a dead letter."""

    #: Published again under a new id, from its first attempt.
    REPLAYED = "replayed"
    DROPPED = "dropped"


async def settle(
    letter_ids: Sequence[int], settlement: Settlement, *, database: Database
) -> list[int]:
    """Replay or drop these letters; return the ids of those that were there."""
    letters: Sequence[DeadLetterRow] = ()
    async for attempt in database.attempts():
        async with attempt as unit:
            letters = await repository.take(unit.connection, letter_ids)
            await _apply(unit, letters, settlement)
    _tell(letters, settlement)
    return [letter.id for letter in letters]


async def settle_all(queue: str | None, settlement: Settlement, *, database: Database) -> int:
    """Replay or drop all letters (of one queue), the oldest first; return how many.

    Those that die while this runs are left: a replay that fails at once must come to its end.
    """
    async with database.read() as connection:
        up_to = await repository.newest_id(connection)
    settled = 0
    letters: Sequence[DeadLetterRow] = ()
    while True:
        async for attempt in database.attempts():
            async with attempt as unit:
                letters = await repository.take_oldest(
                    unit.connection, queue=queue, up_to=up_to, limit=BATCH
                )
                await _apply(unit, letters, settlement)
        if not letters:
            return settled
        _tell(letters, settlement)
        settled += len(letters)


async def _apply(
    unit: UnitOfWork, letters: Sequence[DeadLetterRow], settlement: Settlement
) -> None:
    if settlement is Settlement.REPLAYED:
        await reopen(unit.connection, letters)
        unit.messages.extend(_again(letter, unit) for letter in letters)


def _again(letter: DeadLetterRow, unit: UnitOfWork) -> OutgoingMessage:
    """Its id is new: should it die again, that is another letter. Its trace goes on."""
    headers = letter.headers or {}
    with tracing.continued("replay", headers, pending=unit.spans, queue=letter.queue):
        return OutgoingMessage(
            letter.routing_key,
            letter.body,
            message_id=str(uuid.uuid4()),
            headers={**headers, **tracing.headers()},
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


async def reopen(connection: AsyncConnection, letters: Sequence[DeadLetterRow]) -> None:
    """Set the photos and selfies that were given up with these messages back to where they were."""
    uploaded = _decoded(letters, PhotoUploaded)
    analyzed = _decoded(letters, PhotoAnalyzed)
    # In this order: a photo named by both kinds is analysed, and matched after that.
    await _reopen_photos(connection, [message.photo_id for message in uploaded], "queued")
    await _reopen_photos(connection, [message.photo_id for message in analyzed], "analyzed")
    await _reopen_kept_photos(
        connection,
        [(it.photo_id, it.reindex_for) for it in uploaded if it.reindex_for is not None],
    )
    selfies = [*_decoded(letters, SelfieUploaded)], [*_decoded(letters, SelfieUnindexed)]
    for of_kind in selfies:
        await _reopen_selfies(
            connection, [(message.selfie_id, message.event_id) for message in of_kind]
        )


def _decoded(letters: Sequence[DeadLetterRow], kind: type[M]) -> list[M]:
    """Return the messages of a kind; one that died because it is malformed changed nothing."""
    decoded = []
    for letter in letters:
        if letter.topic == kind.topic:
            try:
                decoded.append(kind.decode(letter.body))
            except ValidationError:
                continue
    return decoded


async def _reopen_photos(
    connection: AsyncConnection, photo_ids: Sequence[int], status: str
) -> None:
    if not photo_ids:
        return
    failed = (
        select(photos.c.id)
        .where(photos.c.id == func.any(list(photo_ids)), photos.c.processing_status == "failed")
        .order_by(photos.c.id)
        .with_for_update()
    )
    await connection.execute(
        update(photos)
        .where(photos.c.id.in_(failed))
        .values(
            processing_status=status,
            processing_error=None,
            lost_analyses=0,
            claimed_by=None,
            finished_at=None,
            # Its message is on the way: nothing for the reconciler.
            enqueued_at=func.now(),
        )
    )


async def _reopen_kept_photos(
    connection: AsyncConnection, photo_engines: Sequence[tuple[int, str]]
) -> None:
    """Give photos that were kept although an engine could not read them back to the one before.

    That one is named by their faces, of which none is the later engine's. A photo without faces
    may have been read after all; then it is once more.
    """
    if not photo_engines:
        return
    of_photo = faces.c.photo_id == photos.c.id
    kept = and_(
        tuple_(photos.c.id, photos.c.engine).in_(photo_engines),
        photos.c.processing_status == "done",
        ~exists().where(of_photo, faces.c.engine == photos.c.engine),
    )
    await connection.execute(
        select(photos.c.id).where(kept).order_by(photos.c.id).with_for_update()
    )
    before = select(func.max(faces.c.engine)).where(of_photo).scalar_subquery()
    await connection.execute(
        update(photos)
        .where(kept)
        .values(
            engine=func.coalesce(before, UNKNOWN_ENGINE),
            lost_analyses=0,
            claimed_by=None,
            # Its message is on the way: nothing for the feeder.
            reindexing_since=func.clock_timestamp(),
        )
    )


async def _reopen_selfies(connection: AsyncConnection, selfies: Sequence[tuple[int, int]]) -> None:
    if not selfies:
        return
    key = tuple_(selfie_indexes.c.selfie_id, selfie_indexes.c.event_id)
    failed = and_(key.in_(selfies), selfie_indexes.c.status == "failed")
    await connection.execute(
        select(selfie_indexes.c.selfie_id)
        .where(failed)
        .order_by(selfie_indexes.c.selfie_id, selfie_indexes.c.event_id)
        .with_for_update()
    )
    # An embedding that is there was paid for: it is matched again, not computed again.
    await connection.execute(
        update(selfie_indexes)
        .where(failed, selfie_indexes.c.embedding.is_not(None))
        .values(status="indexed", error=None, finished_at=None)
    )
    await connection.execute(delete(selfie_indexes).where(failed))
