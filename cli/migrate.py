"""`findme migrate`: the database's schema, and the broker's exchanges and queues."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from pydantic import Field
from rich.console import Console

from cli.options import DataDir, settings_with
from libs.common.database.connections import DatabaseUnavailable, SessionRefused
from libs.common.database.migrate import upgrade
from libs.common.database.roles import GRANTS, ServiceRole
from libs.common.database.sqlstates import is_away
from libs.common.errors import Unavailable
from libs.common.messaging.bus.protocol import BusUnavailable
from libs.common.messaging.bus.rabbitmq.declare import declare
from libs.common.messaging.bus.topology import findme_topology
from libs.common.setting_files import FileOrVariableSettings
from libs.common.settings import DatabaseUrl
from standalone.postgres import database_url

RETRY_SECONDS = 1.0

console = Console()

Wait = Annotated[
    float, typer.Option(min=0, help="Seconds to wait for a database and broker on their way up.")
]


class RoleSettings(FileOrVariableSettings):
    """How each service connects, where it has a role of its own in the database."""

    ingest_database_url: Annotated[str | None, DatabaseUrl] = Field(
        default=None, description="The URL of ingest."
    )
    recognition_database_url: Annotated[str | None, DatabaseUrl] = Field(
        default=None, description="The URL of recognition."
    )
    gallery_database_url: Annotated[str | None, DatabaseUrl] = Field(
        default=None, description="The URL of the gallery."
    )
    media_database_url: Annotated[str | None, DatabaseUrl] = Field(
        default=None, description="The URL of media."
    )

    def roles(self) -> list[ServiceRole]:
        """Return the roles that are named. Raises InvalidInput."""
        urls = {service: getattr(self, f"{service}_database_url") for service in GRANTS}
        return [ServiceRole.of_url(service, url) for service, url in urls.items() if url]


def migrate(data_dir: DataDir = None, wait: Wait = 0) -> None:
    """Bring the database to the newest schema and, with AMQP_URL set, declare the queues.

    With INGEST_DATABASE_URL and the like each service's role is made, and gets the rights that its
    service needs.
    """
    settings = settings_with(data_dir)
    roles = RoleSettings().roles()
    deadline = time.monotonic() + wait
    with database_url(settings, owner=False) as url:
        asyncio.run(_once_there(lambda: upgrade(url, roles=roles), deadline))
    console.print("The database is at the newest schema.")
    if roles:
        names = ", ".join(role.name for role in roles)
        console.print(f"Roles with the rights of their services: {names}.", highlight=False)
    if settings.amqp_url:
        amqp_url, topology = settings.amqp_url, findme_topology(settings.retry_delays_seconds)
        asyncio.run(_once_there(lambda: declare(amqp_url, topology), deadline))
        console.print("The exchanges, queues and bindings are declared.")


async def _once_there(work: Callable[[], Awaitable[None]], deadline: float) -> None:
    """Do the work, again while what it needs is away. Raises Unavailable after the deadline."""
    has_said = False
    while True:
        try:
            await work()
        except Exception as error:
            unavailable = _as_unavailable(error)
            if unavailable is None:
                raise
            if time.monotonic() >= deadline:
                raise unavailable from error
            if not has_said:
                console.print(f"Waiting: {unavailable}", highlight=False)
                has_said = True
        else:
            return
        await asyncio.sleep(RETRY_SECONDS)


def _as_unavailable(error: Exception) -> Unavailable | None:
    """The error as one sentence, None if waiting would not help."""
    if isinstance(error, BusUnavailable):
        return error
    if isinstance(error, SessionRefused):
        return None
    if is_away(error):
        return DatabaseUnavailable(f"The database cannot be reached: {error}")
    return None
