"""A service on its own role in PostgreSQL: what it may not do there fails in its tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from libs.common.database.database import Database
from libs.common.resources import Resources
from libs.common.settings import CommonSettings
from tests.support.databases import as_service


def on_own_role(settings: CommonSettings, service: str) -> CommonSettings:
    """The settings with the URL that only this service has."""
    return settings.model_copy(update={"database_url": as_service(settings.database_url, service)})


@asynccontextmanager
async def with_own_role(
    resources: Resources, settings: CommonSettings, service: str
) -> AsyncIterator[Resources]:
    """The resources with a database that is the service's; the test's own stays the owner's."""
    async with Database.open(on_own_role(settings, service), name=f"findme-{service}") as database:
        yield replace(resources, database=database)
