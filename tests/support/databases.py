"""Fresh databases: each test gets a copy of one to which the migrations were applied once."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import asyncpg

from libs.common.database.migrate import upgrade
from tests.support.postgres import Postgres, plain_url, run_apart


@dataclass(frozen=True)
class Databases:
    """Copies of a template database on one server."""

    server: Postgres
    template: str

    @contextlib.asynccontextmanager
    async def fresh(self) -> AsyncIterator[str]:
        """Yield the URL of a migrated database that nobody else uses; drop it afterwards."""
        name = _unused_name()
        # Files are copied by the system; through the write-ahead log it takes thrice as long.
        await _execute(
            self.server,
            f'CREATE DATABASE "{name}" TEMPLATE "{self.template}" STRATEGY file_copy',
        )
        try:
            yield _url(self.server, name)
        finally:
            await _execute(self.server, f'DROP DATABASE "{name}" WITH (FORCE)')

    @contextlib.asynccontextmanager
    async def empty(self) -> AsyncIterator[str]:
        """Yield the URL of a database without tables; drop it afterwards."""
        name = _unused_name()
        await _execute(self.server, f'CREATE DATABASE "{name}"')
        try:
            yield _url(self.server, name)
        finally:
            await _execute(self.server, f'DROP DATABASE "{name}" WITH (FORCE)')


@contextlib.contextmanager
def migrated_databases(server: Postgres) -> Iterator[Databases]:
    """Make the template on a server, and drop it afterwards."""
    name = _unused_name()
    run_apart(_execute(server, f'CREATE DATABASE "{name}"'))
    try:
        run_apart(upgrade(_url(server, name)))
        yield Databases(server, name)
    finally:
        run_apart(_execute(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


def _unused_name() -> str:
    return f"findme_test_{uuid.uuid4().hex[:12]}"


def _url(server: Postgres, database: str) -> str:
    return server.url.set(database=database).render_as_string(hide_password=False)


async def _execute(server: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(plain_url(server.url), timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
