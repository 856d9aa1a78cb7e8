"""Undo what giving a message up did to its photo or selfie, so that a replay is not skipped."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError
from sqlalchemy import and_, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import photos, selfie_indexes
from libs.common.messaging.dead_letters.repository import DeadLetterRow
from libs.common.messaging.messages import Message, PhotoAnalyzed, PhotoUploaded, SelfieUploaded

M = TypeVar("M", bound=Message)


async def reopen(connection: AsyncConnection, letters: Sequence[DeadLetterRow]) -> None:
    """Set the failed photos and selfies that these messages are about back to where they were."""
    uploaded = _decoded(letters, PhotoUploaded)
    analyzed = _decoded(letters, PhotoAnalyzed)
    # In this order: a photo named by both kinds is analysed, and matched after that.
    await _reopen_photos(connection, [message.photo_id for message in uploaded], "queued")
    await _reopen_photos(connection, [message.photo_id for message in analyzed], "analyzed")
    await _reopen_selfies(
        connection,
        [(message.selfie_id, message.event_id) for message in _decoded(letters, SelfieUploaded)],
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
