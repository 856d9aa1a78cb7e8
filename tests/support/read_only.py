"""A PostgreSQL server that takes no changes for a while, as one that is no primary any more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.postgres import Postgres, plain_url


@asynccontextmanager
async def read_only(server: Postgres) -> AsyncIterator[None]:
    """Refuse changes in every session, open ones too, for the length of the block."""
    await _set(server, "on")
    try:
        yield
    finally:
        await _set(server, "off")


async def _set(server: Postgres, value: str) -> None:
    async with _connected(server) as connection:
        # Of this session, so that it may change the others'.
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        await connection.execute("SELECT pg_reload_conf()")

    async def is_in_force() -> bool:
        # The server tells its sessions before it takes a new one.
        async with _connected(server) as connection:
            return bool(await connection.fetchval("SHOW default_transaction_read_only") == value)

    await eventually(is_in_force)


@asynccontextmanager
async def _connected(server: Postgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(plain_url(server.url), timeout=PATIENCE_SECONDS)
    try:
        yield connection
    finally:
        await connection.close()
