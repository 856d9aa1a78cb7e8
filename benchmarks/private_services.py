"""Services of the benchmark's own: PostgreSQL and RabbitMQ, started like those of the tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from libs.common.messaging.bus.rabbitmq import declare
from libs.common.messaging.bus.topology import findme_topology
from libs.common.settings import CommonSettings
from tests.support.databases import migrated_databases
from tests.support.postgres import running_postgres
from tests.support.rabbitmq import fresh_vhost, running_rabbitmq

SECRET_KEY = "a secret that is used by the benchmarks only"


@dataclass(frozen=True, slots=True)
class PrivateServices:
    """A migrated, empty database and a vhost with FindMe's queues."""

    database_url: str
    amqp_url: str

    def settings(self) -> CommonSettings:
        """Settings for a client of both."""
        return CommonSettings(
            database_url=self.database_url,
            db_pool_size=10,
            db_max_overflow=10,
            amqp_url=self.amqp_url,
            secret_key=SECRET_KEY,
        )


@asynccontextmanager
async def private_services() -> AsyncIterator[PrivateServices]:
    """Start both, PostgreSQL with its default durability (fsync, synchronous commit)."""
    with (
        running_postgres(durable=True) as postgres,
        migrated_databases(postgres) as databases,
        running_rabbitmq(print) as broker,
        fresh_vhost(broker) as amqp_url,
    ):
        await declare(amqp_url, findme_topology())
        async with databases.fresh() as database_url:
            yield PrivateServices(database_url, amqp_url)
