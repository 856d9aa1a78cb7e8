"""A private deployment: servers, services as processes, and a look at what they wrote."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.common.database.database import Database
from libs.common.messaging.bus.rabbitmq.declare import declare
from libs.common.messaging.bus.topology import Topology, findme_topology
from libs.common.settings import CommonSettings
from libs.common.storage.open import open_store
from tests.faults.oracle import State, queue_depths, read_state
from tests.faults.processes import Fleet
from tests.support.engine_calls import EngineCall, read_calls
from tests.support.polling import eventually
from tests.support.world import World

SECRET = "one secret for all processes of the suite"
#: Production waits 5, 60 and 600 s; together these outlast every outage that the suite makes.
RETRY_DELAYS_SECONDS = (0.5, 4.0, 15.0)


@dataclass
class Deployment:
    """The services' fleet; `world` writes what clients and services would have written."""

    fleet: Fleet
    world: World
    database: Database
    amqp_url: str
    topology: Topology
    calls_log: Path

    def calls(self) -> list[EngineCall]:
        """What the engines of all replicas were asked for."""
        return read_calls(self.calls_log)

    async def state(self) -> State:
        """What the database holds."""
        return await read_state(self.database)

    async def queues(self) -> dict[str, int]:
        """The queues that hold messages; exact when the fleet has stopped."""
        return await queue_depths(self.amqp_url, self.topology)

    async def settled(self, *, photos: int, selfies: int = 0, timeout: float) -> State:
        """Wait until that many photos and selfies have come to their end."""
        last: list[State] = []

        async def is_settled() -> bool:
            last[:] = [await self.state()]
            return last[0].is_settled(photos, selfies)

        await eventually(
            is_settled,
            timeout=timeout,
            poll_seconds=0.2,
            message=lambda: f"not settled: {last[0].statuses()}\n{self.fleet.tails()}",
        )
        return last[0]


@asynccontextmanager
async def deployed(
    database_url: str, amqp_url: str, folder: Path, **environment: str
) -> AsyncIterator[Deployment]:
    """Declare the queues and prepare the processes' environment; start nothing yet."""
    calls_log = folder / "engine-calls.jsonl"
    names = {
        "DATABASE_URL": database_url,
        "DB_POOL_SIZE": "5",
        "DB_MAX_OVERFLOW": "10",
        "AMQP_URL": amqp_url,
        "SECRET_KEY": SECRET,
        "PHOTO_STORE_DIR": str(folder / "objects"),
        "RETRY_DELAYS_SECONDS": ",".join(map(str, RETRY_DELAYS_SECONDS)),
        "PHOTO_QUEUE_WORKERS": "2",
        "SCRIPTED_LOG": str(calls_log),
        # Few guests send many selfies here.
        "LIMITS_SCALE": "100",
        **environment,
    }
    settings = _settings(names)
    topology = findme_topology(settings.retry_delays_seconds)
    await declare(amqp_url, topology)
    async with (
        Database.open(settings, name="test") as database,
        open_store(settings) as store,
        Fleet({**_inherited(), **names}, folder / "logs") as fleet,
    ):
        world = World(database, store)
        yield Deployment(fleet, world, database, amqp_url, topology, calls_log)


def _settings(names: Mapping[str, str]) -> CommonSettings:
    return CommonSettings(
        database_url=names["DATABASE_URL"],
        db_pool_size=5,
        secret_key=SECRET,
        photo_store_dir=Path(names["PHOTO_STORE_DIR"]),
        photo_bucket_name=names.get("PHOTO_BUCKET_NAME"),
        s3_endpoint_url=names.get("S3_ENDPOINT_URL"),
        retry_delays_seconds=RETRY_DELAYS_SECONDS,
    )


def _inherited() -> dict[str, str]:
    """The test's environment without what would configure the services."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.lower() not in CommonSettings.model_fields
    }
