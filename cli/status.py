"""`findme status`: how much there is, and how much of it waits."""

import asyncio
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from cli.options import DataDir, settings_with
from libs.common.database.database import Database
from libs.common.database.tables import dead_letters, events, matches, photos, selfies, users
from libs.common.messaging import outbox
from standalone.operators import operator_database

PHOTO_STATUSES = ("queued", "analyzed", "done", "failed")

console = Console()


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


def status(data_dir: DataDir = None) -> None:
    """Show how much there is, and how much of it waits."""

    async def read() -> Status:
        async with operator_database(settings_with(data_dir)) as database:
            return await read_status(database)

    found = asyncio.run(read())
    table = Table(show_header=False)
    for name, value in (
        ("accounts", found.accounts),
        ("events", found.events),
        ("selfies", found.selfies),
        ("matches", found.matches),
        *((f"photos {status}", found.photos.get(status, 0)) for status in PHOTO_STATUSES),
        *((f"photos by {engine}", count) for engine, count in found.photos_by_engine.items()),
        ("messages waiting", found.outbox_messages),
        ("oldest, seconds", round(found.outbox_oldest_seconds, 1)),
        ("dead letters", found.dead_letters),
    ):
        table.add_row(name, str(value))
    console.print(table)


async def read_status(database: Database) -> Status:
    """Count what the database holds."""
    async with database.read() as connection:
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
