"""Bring a database to the newest schema."""

import asyncio
from dataclasses import replace
from pathlib import Path

import structlog
from sqlalchemy import Connection, pool, text
from sqlalchemy.exc import DBAPIError

from libs.common.database.connections import OPERATORS_LIMITS, open_engine
from libs.common.database.sqlstates import sqlstate
from libs.common.settings import sqlalchemy_url

log = structlog.get_logger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
#: Two migrations at once (two replicas' jobs) wait for each other on this advisory lock.
_LOCK_ID = 0x46494E44
#: Whoever wants a table waits behind a migration that waits for it: not for longer than this.
LOCK_SECONDS = 5
PAUSE_SECONDS = 2.0
ATTEMPTS = 20
_LOCK_NOT_AVAILABLE = "55P03"


async def upgrade(database_url: str) -> None:
    """Apply all migrations, each in its transaction; does nothing when there is nothing to do.

    What has been applied stays when a later one fails; the next call resumes there.
    """
    # A migration that died waiting must not keep the next one out.
    limits = replace(OPERATORS_LIMITS, idle_in_transaction_seconds=60, idle_seconds=60)
    engine = open_engine(
        sqlalchemy_url(database_url), limits, name="findme migrate", poolclass=pool.NullPool
    )
    try:
        async with engine.connect() as connection:
            # Held by the session, over all transactions; it ends with it.
            await connection.execute(text(f"SELECT pg_advisory_lock({_LOCK_ID})"))
            await connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS}s'"))
            await connection.commit()
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    await connection.run_sync(_upgrade)
                except DBAPIError as error:
                    if sqlstate(error) != _LOCK_NOT_AVAILABLE or attempt == ATTEMPTS:
                        raise
                    log.warning("migration_waits_for_a_lock", attempt=attempt)
                    await connection.rollback()
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    return
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    # A tenth of the start of every command of `findme`, of which few migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
