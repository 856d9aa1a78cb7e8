"""`findme partitions`: which replica matches which events, and how far behind it is."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from cli.options import DataDir, settings_with
from libs.common.database.database import Database
from libs.common.database.tables import match_partitions, photos
from libs.common.messaging.buckets import bucket_of
from libs.common.messaging.bus.rabbitmq.declare import ready_messages
from libs.common.messaging.bus.topology import findme_topology
from standalone.operators import operator_database

console = Console()


@dataclass(frozen=True, slots=True)
class PartitionState:
    """A partition as the database has it; `lease_seconds` are left of its owner's lease."""

    partition: int
    owner: str | None
    epoch: int
    lease_seconds: float | None
    changed_at: datetime


def partitions(data_dir: DataDir = None) -> None:
    """Show who owns the match partitions, and how much waits in each."""
    settings = settings_with(data_dir)

    async def read() -> tuple[list[PartitionState], Mapping[int, int]]:
        async with operator_database(settings) as database:
            states = await read_partitions(database)
            if settings.amqp_url is None:
                return states, await photos_to_match(database)
            return states, await messages_to_match(settings.amqp_url)

    states, lag = asyncio.run(read())
    if not states:
        console.print("No recognition service has run yet: there are no partitions.")
        return
    console.print(_table(states, lag, unit="messages" if settings.amqp_url else "photos"))


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
    async with database.read() as connection:
        rows = await connection.execute(
            select(photos.c.event_id, func.count().label("photos"))
            .where(photos.c.processing_status == "analyzed")
            .group_by(photos.c.event_id)
        )
    for row in rows:
        waiting[bucket_of(row.event_id)] += row.photos
    return waiting


async def messages_to_match(amqp_url: str) -> dict[int, int]:
    """Count the messages that are ready in each partition's queue, the one in hand left out."""
    queues = [queue.name for queue in findme_topology().match]
    ready = await ready_messages(amqp_url, queues)
    return {partition: ready[name] for partition, name in enumerate(queues)}


def _table(states: list[PartitionState], lag: Mapping[int, int], *, unit: str) -> Table:
    table = Table("partition", "owner", "epoch", "lease left", f"lag ({unit})", "last change")
    for state in states:
        table.add_row(
            f"{state.partition:02d}",
            state.owner or "-",
            str(state.epoch),
            _lease(state),
            str(lag.get(state.partition, 0)),
            f"{state.changed_at.astimezone():%Y-%m-%d %H:%M:%S}",
        )
    return table


def _lease(state: PartitionState) -> str:
    if state.lease_seconds is None:
        return "-"
    return f"{state.lease_seconds:.1f} s" if state.lease_seconds > 0 else "over"
