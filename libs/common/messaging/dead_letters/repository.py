"""All SQL of the table of dead letters."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, delete, func, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import dead_letters
from libs.common.messaging.bus.protocol import Death, Delivery


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A message that was given up, where and why, after how many attempts."""

    id: int
    message_id: str
    queue: str
    routing_key: str
    body: bytes
    reason: str
    attempts: int
    died_at: datetime
    headers: Mapping[str, str] | None = None

    @property
    def topic(self) -> str:
        """The routing key without the event's bucket."""
        return self.routing_key.rpartition(".")[0]


async def add(connection: AsyncConnection, message: Delivery, death: Death) -> bool:
    """Keep a dead letter; False when it is there already."""
    added = await connection.execute(
        insert(dead_letters)
        .values(
            message_id=_text(message.message_id) or _digest(message),
            queue=_text(death.queue),
            routing_key=_text(message.routing_key),
            body=message.body,
            reason=_text(death.reason),
            attempts=death.attempts,
            headers=_headers(message.headers),
        )
        .on_conflict_do_nothing(index_elements=["message_id", "queue"])
    )
    return bool(added.rowcount)


async def find(connection: AsyncConnection, letter_id: int) -> DeadLetterRow | None:
    """Return one letter, None when it is not there (any more)."""
    found = await _rows(connection, select(dead_letters).where(dead_letters.c.id == letter_id))
    return found[0] if found else None


async def page(
    connection: AsyncConnection, *, queue: str | None, before: int | None, limit: int
) -> list[DeadLetterRow]:
    """Return letters by falling id, the newest first, those below `before` only."""
    condition = _in_queue(queue)
    if before is not None:
        condition = and_(condition, dead_letters.c.id < before)
    query = select(dead_letters).where(condition).order_by(dead_letters.c.id.desc()).limit(limit)
    return await _rows(connection, query)


async def count_by_queue(connection: AsyncConnection) -> dict[str, int]:
    """Return how many letters wait, by the queue in which they died."""
    rows = await connection.execute(
        select(dead_letters.c.queue, func.count().label("letters"))
        .group_by(dead_letters.c.queue)
        .order_by(dead_letters.c.queue)
    )
    return {row.queue: row.letters for row in rows}


async def newest_id(connection: AsyncConnection) -> int:
    """Return the largest id in use, 0 when there is none."""
    return await connection.scalar(select(func.max(dead_letters.c.id))) or 0


async def take(connection: AsyncConnection, letter_ids: Sequence[int]) -> list[DeadLetterRow]:
    """Delete these letters and return those that were there, the oldest first.

    Of several who take a letter at once, one gets it.
    """
    return await _take(connection, dead_letters.c.id == func.any(list(letter_ids)))


async def take_oldest(
    connection: AsyncConnection, *, queue: str | None, up_to: int, limit: int
) -> list[DeadLetterRow]:
    """Delete and return the oldest letters with ids up to `up_to`."""
    return await _take(connection, and_(_in_queue(queue), dead_letters.c.id <= up_to), limit=limit)


async def _take(
    connection: AsyncConnection, condition: ColumnElement[bool], *, limit: int | None = None
) -> list[DeadLetterRow]:
    # Locked in one order, so that two who take the same letters do not wait for each other.
    chosen = (
        select(dead_letters.c.id)
        .where(condition)
        .order_by(dead_letters.c.id)
        .limit(limit)
        .with_for_update()
    )
    rows = await connection.execute(
        delete(dead_letters).where(dead_letters.c.id.in_(chosen)).returning(dead_letters)
    )
    return sorted((_row(row) for row in rows), key=lambda letter: letter.id)


async def _rows(
    connection: AsyncConnection, query: Select[tuple[object, ...]]
) -> list[DeadLetterRow]:
    return [_row(row) for row in await connection.execute(query)]


def _row(row: object) -> DeadLetterRow:
    return DeadLetterRow(*row)  # type: ignore[misc]


def _in_queue(queue: str | None) -> ColumnElement[bool]:
    return true() if queue is None else dead_letters.c.queue == queue


def _headers(headers: Mapping[str, str]) -> dict[str, str] | None:
    return {_text(name): _text(value) for name, value in headers.items()} or None


def _text(text: str) -> str:
    """PostgreSQL keeps every character but NUL and lone surrogates; a letter must be kept."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _digest(message: Delivery) -> str:
    """Stand in for the id that a foreign publisher did not give."""
    content = message.routing_key.encode(errors="replace") + b"\n" + message.body
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
