"""What is measured: standalone as it is started, or the four services on RabbitMQ."""

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.private_services import SECRET_KEY, private_services
from benchmarks.rush.client import Origins
from benchmarks.rush.priority import PatientLoop
from demo.server import running_server, temporary_data_dir
from libs.common.database.database import Database
from standalone.operators import operator_database
from standalone.settings import StandaloneSettings
from tests.services_apart.services import running_services, wait_until_ready


@dataclass(frozen=True, slots=True)
class Running:
    """A server, or the services that are one."""

    database: Database
    origins: Origins
    pids: list[int]
    #: Whose streams and lists it is.
    gallery_pid: int
    postgres_data: Path | None

    @property
    def gallery(self) -> tuple[str, int]:
        """Where the lists and streams are."""
        return self.origins.get(None) or self.origins["gallery"]


#: Starts it, again on the same data.
System = Callable[[], AbstractAsyncContextManager[Running]]


@asynccontextmanager
async def standalone_system(loop: PatientLoop) -> AsyncIterator[System]:
    """`findme up` on a fresh folder, all settings left at their defaults."""
    with temporary_data_dir() as folder:
        settings = StandaloneSettings(findme_data_dir=folder)
        yield partial(_standalone, settings, loop)


@asynccontextmanager
async def _standalone(settings: StandaloneSettings, loop: PatientLoop) -> AsyncIterator[Running]:
    async with (
        loop.at_normal_priority(running_server(settings.data_dir)) as server,
        operator_database(settings) as database,
    ):
        parts = urlsplit(server.url)
        yield Running(
            database=database,
            origins={None: (str(parts.hostname), int(parts.port or 80))},
            pids=[server.process.pid],
            gallery_pid=server.process.pid,
            postgres_data=settings.data_dir / "postgres",
        )


@asynccontextmanager
async def system_apart(loop: PatientLoop) -> AsyncIterator[System]:
    """One process of each service, on a PostgreSQL and a RabbitMQ of their own."""
    with tempfile.TemporaryDirectory(prefix="findme-bench-") as temporary:
        folder = Path(temporary)
        async with private_services() as services:
            environment = os.environ | {
                "DATABASE_URL": services.database_url,
                "AMQP_URL": services.amqp_url,
                "PHOTO_STORE_DIR": str(folder / "objects"),
                "PHOTO_BUCKET_NAME": "",
                "SECRET_KEY": SECRET_KEY,
                "LOG_LEVEL": "warning",
                # As docker-compose.yml has it, and standalone.
                "PHOTO_QUEUE_WORKERS": "2",
                # Four services on a server that allows a hundred connections.
                "DB_POOL_SIZE": "10",
                "DB_MAX_OVERFLOW": "10",
            }
            async with Database.open(services.settings()) as database:
                yield partial(_apart, environment, folder, loop, database)


@asynccontextmanager
async def _apart(
    environment: dict[str, str], folder: Path, loop: PatientLoop, database: Database
) -> AsyncIterator[Running]:
    services = running_services(environment, folder)
    async with loop.at_normal_priority(services) as (urls, processes):
        await wait_until_ready(urls, folder)
        yield Running(
            database=database,
            origins={
                name: (str(urlsplit(url).hostname), int(urlsplit(url).port or 80))
                for name, url in urls.items()
            },
            pids=[process.pid for process in processes.values()],
            gallery_pid=processes["gallery"].pid,
            postgres_data=None,
        )
