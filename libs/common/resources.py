"""What every service is connected to, opened and closed in one visible place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from libs.common.background import BackgroundTasks
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
    #: What runs beside all services of the process: the outbox relay.
    background: BackgroundTasks = field(default_factory=BackgroundTasks)


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
        BackgroundTasks() as background,
    ):
        await verify_schema(database)
        background.start("relay", Relay(database, bus).run)
        background.tidy("outbox backlog", partial(watch_backlog, database))
        yield Resources(
            database=database, bus=bus, store=store, topology=topology, background=background
        )
