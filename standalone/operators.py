"""What an operator does on the machine itself: open the database, make accounts and events."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import select

from libs.common.database.database import Database
from libs.common.database.migrate import upgrade
from libs.common.database.tables import users
from libs.common.errors import InvalidInput
from libs.common.settings import CommonSettings
from libs.common.web.auth import Role
from services.gallery.accounts.changes import AccountChange, change_account, named_account
from services.gallery.accounts.hashing import argon2
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.registration import create_account
from services.gallery.accounts.rules import NewAccount
from services.gallery.events.changes import CreatedEvent, NewEvent, create_event
from services.gallery.settings import HASH_LANES, HASH_MEMORY_KIB, HASH_PASSES
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


def operator_passwords() -> Passwords:
    """Return what judges and hashes the passwords that an operator gives."""
    return Passwords(at_once=1, hasher=argon2(HASH_MEMORY_KIB, HASH_PASSES, HASH_LANES))


async def add_account(database: Database, account: NewAccount, role: Role) -> int:
    """Create an account of any role; return its id. Raises InvalidInput."""
    return await create_account(
        account, role=role, actor_id=None, database=database, passwords=operator_passwords()
    )


async def alter_account(database: Database, name: str, role: Role, change: AccountChange) -> str:
    """Change the account of this name or address; return its username.

    Raises InvalidInput, Conflict.
    """
    account = await named_account(name, role, database=database)
    changed = await change_account(
        account.id,
        change,
        role=role,
        actor_id=None,
        database=database,
        passwords=operator_passwords(),
    )
    return changed.username


async def add_event(
    database: Database,
    *,
    name: str,
    photographer: str,
    code: str | None,
    days: float,
    date: datetime | None = None,
    time_zone: str | None = None,
) -> CreatedEvent:
    """Create an event for the photographer with that username; it lasts so many days.

    From its date, or from now where that is past. Raises InvalidInput.
    """
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
                    date=date,
                    photographer_id=photographer_id,
                    time_zone=time_zone,
                ),
                actor_id=None,
                unit=unit,
            )
    return made
