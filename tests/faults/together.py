"""Faults of what all services share, each for the length of a block, so that they may overlap."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import asyncpg
from sqlalchemy.engine import make_url

from libs.common import tasks
from tests.faults.proxy import StoreProxy
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.postgres import Postgres, plain_url
from tests.support.postgres_gate import PostgresGate
from tests.support.rabbitmq import RabbitMQ, alarms
from tests.support.read_only import read_only

#: As long as the services' sessions last, when they are ended again and again.
END_EVERY_SECONDS = 1.0
#: `rabbitmqctl`'s words by the alarm that they set off; then those that end it.
ALARMS = {
    "memory": ("set_vm_memory_high_watermark", "0.00001", "0.6"),
    "disk": ("set_disk_free_limit", "100000GB", "50MB"),
}


@dataclass(frozen=True)
class Shared:
    """What all services share, and the ways to it."""

    broker: StoreProxy
    gate: PostgresGate
    rabbitmq: RabbitMQ
    postgres: Postgres
    database_url: str

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection]:
        """Past the gate, to the services' database."""
        connection = await asyncpg.connect(
            plain_url(make_url(self.database_url)), timeout=PATIENCE_SECONDS
        )
        try:
            yield connection
        finally:
            await connection.close()


Fault = Callable[[Shared], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def broker_partitioned(shared: Shared) -> AsyncIterator[None]:
    """Nothing passes to or from the broker, and nobody is told."""
    shared.broker.hang()
    try:
        yield
    finally:
        shared.broker.heal()


@asynccontextmanager
async def broker_without_memory(shared: Shared) -> AsyncIterator[None]:
    """It takes nothing from publishers until it has some."""
    async with _alarmed(shared.rabbitmq, "memory"):
        yield


@asynccontextmanager
async def broker_without_disk(shared: Shared) -> AsyncIterator[None]:
    """The same for the disk."""
    async with _alarmed(shared.rabbitmq, "disk"):
        yield


@asynccontextmanager
async def _alarmed(rabbitmq: RabbitMQ, alarm: str) -> AsyncIterator[None]:
    command, on, off = ALARMS[alarm]
    await asyncio.to_thread(rabbitmq.control, command, on)
    try:
        await eventually(lambda: asyncio.to_thread(alarms, rabbitmq), poll_seconds=0.2)
        yield
    finally:
        await asyncio.to_thread(rabbitmq.control, command, off)


@asynccontextmanager
async def database_partitioned(shared: Shared) -> AsyncIterator[None]:
    """Sessions are cut, and new ones refused."""
    shared.gate.close()
    try:
        yield
    finally:
        shared.gate.open()


@asynccontextmanager
async def database_read_only(shared: Shared) -> AsyncIterator[None]:
    """The primary is none any more."""
    async with read_only(shared.postgres):
        yield


@asynccontextmanager
async def tables_locked(shared: Shared) -> AsyncIterator[None]:
    """Somebody holds what every upload, analysis and match wants to write."""
    async with shared.session() as session, session.transaction():
        await session.execute("LOCK TABLE photos, selfies IN EXCLUSIVE MODE")
        yield


@asynccontextmanager
async def no_connections_left(shared: Shared) -> AsyncIterator[None]:
    """Others have taken all that the server gives, the reserved ones too."""
    taken: list[asyncpg.Connection] = []
    try:
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(
                    await asyncpg.connect(plain_url(shared.postgres.url), timeout=PATIENCE_SECONDS)
                )
        yield
    finally:
        await asyncio.gather(*(connection.close() for connection in taken))


@asynccontextmanager
async def sessions_ended(shared: Shared) -> AsyncIterator[None]:
    """An operator, or a proxy, ends all sessions every second."""

    async def end_them() -> None:
        async with shared.session() as session:
            while True:
                await session.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                await asyncio.sleep(END_EVERY_SECONDS)

    ending = asyncio.create_task(end_them())
    try:
        yield
    finally:
        assert not ending.done(), "the sessions were not ended all along"
        await tasks.end(ending)


@asynccontextmanager
async def struck(shared: Shared, faults: Sequence[Fault]) -> AsyncIterator[None]:
    """All of them at once."""
    async with AsyncExitStack() as stack:
        for fault in faults:
            await stack.enter_async_context(fault(shared))
        yield
