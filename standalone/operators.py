"""What an operator does on the machine itself: open the database, make accounts and events."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from pydantic import SecretStr
from sqlalchemy import select

from libs.common.database.database import Database
from libs.common.database.migrate import upgrade
from libs.common.database.tables import users
from libs.common.errors import InvalidInput
from libs.common.settings import CommonSettings
from libs.common.web.auth import Role
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.registration import create_account
from services.gallery.accounts.rules import NewAccount
from services.gallery.events.changes import CreatedEvent, NewEvent, create_event
from standalone.postgres import database_url
from standalone.settings import StandaloneSettings


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


async def add_account(database: Database, account: NewAccount, role: Role) -> int:
    """Create an account of any role; return its id. Raises InvalidInput."""
    return await create_account(
        account, role=role, database=database, passwords=Passwords(at_once=1)
    )


async def add_event(
    database: Database, *, name: str, photographer: str, code: str | None, days: int
) -> CreatedEvent:
    """Create an event for the photographer with that username. Raises InvalidInput."""
    async for attempt in database.attempts():
        async with attempt as unit:
            photographer_id = await unit.connection.scalar(
                select(users.c.id).where(users.c.username == photographer)
            )
            if photographer_id is None:
                msg = (
                    f"There is no photographer {photographer!r}:"
                    " `findme photographer create` first."
                )
                raise InvalidInput(msg)
            made = await create_event(
                NewEvent(
                    name=name,
                    lifetime=timedelta(days=days),
                    event_code=code,
                    photographer_id=photographer_id,
                ),
                unit=unit,
            )
    return made
