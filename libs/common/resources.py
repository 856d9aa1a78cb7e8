"""What every service is connected to, opened and closed in one visible place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from libs.common.database.database import Database
from libs.common.database.schema import verify_schema
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.protocol import Bus
from libs.common.messaging.bus.topology import Topology, findme_topology
from libs.common.messaging.relay import Relay, watch_backlog
from libs.common.settings import CommonSettings
from libs.common.storage.open import open_store
from libs.common.storage.protocol import ObjectStore
from libs.common.telemetry import tracing


@dataclass(frozen=True, slots=True)
class Resources:
    """Connections of one process; services get them, they do not make them."""

    database: Database
    bus: Bus
    store: ObjectStore
    topology: Topology


@asynccontextmanager
async def open_resources(settings: CommonSettings, *, name: str) -> AsyncIterator[Resources]:
    """Connect to everything the settings name, and run the outbox relay beside it.

    Raises SchemaTooOld, TopologyMissing.
    """
    topology = findme_topology(settings.retry_delays_seconds)
    async with (
        tracing.running(name),
        Database.open(settings, name=name) as database,
        open_store(settings) as store,
        open_bus(settings.amqp_url, topology) as bus,
    ):
        await verify_schema(database)
        tasks = [
            asyncio.create_task(Relay(database, bus).run(), name="relay"),
            asyncio.create_task(watch_backlog(database), name="outbox-backlog"),
        ]
        try:
            yield Resources(database=database, bus=bus, store=store, topology=topology)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
