"""The transactional outbox: messages are rows until the bus has confirmed them.

Pattern: Transactional outbox, Chris Richardson, Microservices Patterns (2018), chapter 3.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Float, cast, delete, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import outbox
from libs.common.messaging.bus.protocol import OutgoingMessage

#: The relay listens here, so that a message need not wait for the next poll.
NOTIFY_CHANNEL = "findme_outbox"
#: By the clock that wrote the row; never less than 0, though a failover may change it.
_WAITED_SECONDS = func.greatest(
    cast(func.extract("epoch", func.clock_timestamp() - outbox.c.created_at), Float), 0.0
).label("waited_seconds")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message that waits to be published."""

    id: int
    attempts: int
    waited_seconds: float
    message: OutgoingMessage


async def append(
    connection: AsyncConnection,
    messages: Sequence[OutgoingMessage],
    *,
    delay_seconds: float = 0,
) -> None:
    """Add messages to the transaction and wake the relay when it commits.

    Their ids must be UUIDs. With a delay they are not due, and no backlog, until it is over.
    """
    if not messages:
        return
    due: dict[str, object] = {}
    if delay_seconds:
        due = {"next_attempt_at": func.now() + timedelta(seconds=delay_seconds)}
    await connection.execute(
        insert(outbox).values(due),
        [
            {
                "message_id": message.message_id,
                "routing_key": message.routing_key,
                "body": message.body,
                "mandatory": message.mandatory,
                "headers": message.headers or None,
            }
            for message in messages
        ],
    )
    await connection.execute(text(f"NOTIFY {NOTIFY_CHANNEL}"))


async def take_batch(
    connection: AsyncConnection, limit: int, *, without: Collection[str] = ()
) -> list[OutboxRow]:
    """Lock the oldest rows that are due, in the order of their ids.

    Those with routing keys of `without` are passed over.
    Never by `id > cursor`: ids are given before commits, so a cursor would skip rows.
    """
    rows = await connection.execute(
        select(outbox, _WAITED_SECONDS)
        .where(outbox.c.next_attempt_at <= func.now(), outbox.c.routing_key.not_in(without))
        .order_by(outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [
        OutboxRow(
            id=row.id,
            attempts=row.attempts,
            waited_seconds=row.waited_seconds,
            message=OutgoingMessage(
                routing_key=row.routing_key,
                body=row.body,
                message_id=row.message_id,
                mandatory=row.mandatory,
                headers=row.headers or {},
            ),
        )
        for row in rows
    ]


async def remove(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Forget rows that the bus has confirmed."""
    await connection.execute(delete(outbox).where(outbox.c.id.in_(ids)))


async def set_aside(connection: AsyncConnection, ids: Sequence[int], delay_seconds: float) -> None:
    """Let rows that could not be published wait, so that they do not hold up the others."""
    await connection.execute(
        update(outbox)
        .where(outbox.c.id.in_(ids))
        .values(
            attempts=outbox.c.attempts + 1,
            next_attempt_at=func.now() + text(f"interval '{delay_seconds:.3f} seconds'"),
        )
    )


async def backlog(connection: AsyncConnection) -> tuple[int, float]:
    """Return the number of waiting messages and the age of the oldest, in seconds.

    Messages that are not due yet do not wait; those that were set aside do.
    """
    row = (
        await connection.execute(
            select(
                func.count(),
                func.coalesce(
                    func.extract("epoch", func.now() - func.min(outbox.c.created_at)), 0.0
                ),
            )
            .select_from(outbox)
            .where(or_(outbox.c.attempts > 0, outbox.c.next_attempt_at <= func.now()))
        )
    ).one()
    return int(row[0]), float(row[1])
