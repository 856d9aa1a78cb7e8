"""Fresh databases: each test gets a copy of one to which the migrations were applied once."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import asyncpg
from sqlalchemy import make_url

from libs.common.database.migrate import upgrade
from libs.common.database.roles import GRANTS, ServiceRole
from tests.support.polling import PATIENCE_SECONDS
from tests.support.postgres import PASSWORD, Postgres, plain_url, run_apart


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
        url = _url(server, name)
        roles = [ServiceRole.of_url(service, as_service(url, service)) for service in GRANTS]
        run_apart(upgrade(url, roles=roles))
        yield Databases(server, name)
    finally:
        run_apart(_execute(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


def as_service(url: str, service: str) -> str:
    """Return the database's URL for a service, which logs in as a role of its own."""
    role = make_url(url).set(username=f"findme_{service}", password=PASSWORD)
    return role.render_as_string(hide_password=False)


def _unused_name() -> str:
    return f"findme_test_{uuid.uuid4().hex[:12]}"


def _url(server: Postgres, database: str) -> str:
    return server.url.set(database=database).render_as_string(hide_password=False)


async def _execute(server: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(
        plain_url(server.url), timeout=PATIENCE_SECONDS, command_timeout=PATIENCE_SECONDS
    )
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
