"""All SQL of commands that look at the state: `findme status` and `findme partitions`."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from libs.common.database import outbox
from libs.common.database.database import Database
from libs.common.database.tables import (
    dead_letters,
    events,
    match_partitions,
    matches,
    photos,
    selfies,
    users,
)
from libs.common.messaging.bus.topology import bucket_of


@dataclass(frozen=True, slots=True)
class Status:
    """Counts of rows; photos by their processing status, and by the engine that analysed them."""

    accounts: int
    events: int
    selfies: int
    matches: int
    photos: dict[str, int]
    photos_by_engine: dict[str, int]
    outbox_messages: int
    outbox_oldest_seconds: float
    dead_letters: int


@dataclass(frozen=True, slots=True)
class PartitionState:
    """A partition as the database has it; `lease_seconds` are left of its owner's lease."""

    partition: int
    owner: str | None
    epoch: int
    lease_seconds: float | None
    changed_at: datetime


async def read_status(database: Database) -> Status:
    """Count what the database holds."""
    async with database.read(patient=True) as connection:
        counts = [
            await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (users, events, selfies, matches, dead_letters)
        ]
        by_status = await connection.execute(
            select(photos.c.processing_status, func.count().label("photos")).group_by(
                photos.c.processing_status
            )
        )
        by_engine = await connection.execute(
            select(photos.c.engine, func.count().label("photos"))
            .where(photos.c.engine.is_not(None))
            .group_by(photos.c.engine)
            .order_by(photos.c.engine)
        )
        depth, age = await outbox.backlog(connection)
        return Status(
            accounts=counts[0],
            events=counts[1],
            selfies=counts[2],
            matches=counts[3],
            photos={row.processing_status: row.photos for row in by_status},
            photos_by_engine={row.engine: row.photos for row in by_engine},
            outbox_messages=depth,
            outbox_oldest_seconds=age,
            dead_letters=counts[4],
        )


async def read_partitions(database: Database) -> list[PartitionState]:
    """Return all partitions in order; none before the first start."""
    table = match_partitions.c
    async with database.read() as connection:
        rows = await connection.execute(
            select(
                table.partition,
                table.owner,
                table.epoch,
                func.extract("epoch", table.lease_until - func.now()).label("lease_seconds"),
                table.changed_at,
            ).order_by(table.partition)
        )
    return [
        PartitionState(
            row.partition,
            row.owner,
            row.epoch,
            None if row.lease_seconds is None else float(row.lease_seconds),
            row.changed_at,
        )
        for row in rows
    ]


async def photos_to_match(database: Database) -> Counter[int]:
    """Count the analysed photos that wait to be matched, by partition."""
    waiting: Counter[int] = Counter()
    async with database.read(patient=True) as connection:
        rows = await connection.execute(
            select(photos.c.event_id, func.count().label("photos"))
            .where(photos.c.processing_status == "analyzed")
            .group_by(photos.c.event_id)
        )
    for row in rows:
        waiting[bucket_of(row.event_id)] += row.photos
    return waiting
