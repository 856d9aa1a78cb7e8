"""The database that a command works on: the one named, else the folder's own."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from pydantic import SecretStr

from libs.common.database.database import Database
from libs.common.database.migrate import upgrade
from libs.common.settings import CommonSettings
from standalone.postgres import attached_postgres, embedded_postgres
from standalone.settings import StandaloneSettings


@contextmanager
def database_url(settings: StandaloneSettings, *, owner: bool) -> Iterator[str]:
    """Yield the URL of the database to use: the one named, else the folder's own."""
    if settings.database_url:
        yield settings.database_url
    elif owner:
        with embedded_postgres(settings.data_dir) as url:
            yield url
    else:
        with attached_postgres(settings.data_dir) as url:
            yield url


@asynccontextmanager
async def operator_database(settings: StandaloneSettings) -> AsyncIterator[Database]:
    """Open the database for a command, whether or not FindMe runs on it."""
    with database_url(settings, owner=False) as url:
        await upgrade(url)
        # Commands sign nothing: a key of the moment, so that they need no data folder.
        nothing_signed = SecretStr(secrets.token_hex(32))
        async with Database.open(
            CommonSettings(
                database_url=url, db_pool_size=5, db_max_overflow=5, secret_key=nothing_signed
            )
        ) as database:
            yield database
