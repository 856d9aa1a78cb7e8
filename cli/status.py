"""`findme status`: how much there is, and how much of it waits."""

import asyncio

from rich.console import Console
from rich.table import Table

from cli.options import DataDir, settings_with
from cli.repository import Status, read_status
from standalone.operators import operator_database

PHOTO_STATUSES = ("queued", "analyzed", "done", "failed")

console = Console()


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
