"""`findme partitions`: which replica matches which events, and how far behind it is."""

import asyncio
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from cli.options import DataDir, settings_with
from cli.repository import PartitionState, photos_to_match, read_partitions
from libs.common.messaging.bus.rabbitmq.declare import ready_messages
from libs.common.messaging.bus.topology import findme_topology
from standalone.operators import operator_database

console = Console()


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
