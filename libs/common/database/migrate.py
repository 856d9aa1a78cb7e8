"""Bring a database to the newest schema."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import structlog
from sqlalchemy import Connection, pool, text
from sqlalchemy.exc import DBAPIError

from libs.common.database.connections import OPERATORS_LIMITS, open_engine
from libs.common.database.locks import AdvisoryLock
from libs.common.database.roles import ServiceRole, give_rights
from libs.common.database.sqlstates import is_conflict, sqlstate
from libs.common.settings import sqlalchemy_url

log = structlog.get_logger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
#: Whoever wants a table waits behind a migration that waits for it: not for longer than this.
LOCK_SECONDS = 5
PAUSE_SECONDS = 2.0
ATTEMPTS = 20
_LOCK_NOT_AVAILABLE = "55P03"


async def upgrade(database_url: str, *, roles: Collection[ServiceRole] = ()) -> None:
    """Apply all migrations, each in its transaction; does nothing when there is nothing to do.

    What has been applied stays when a later one fails; the next call resumes there. Then the
    services' roles get their rights, all at once.
    """
    # A migration that died waiting must not keep the next one out.
    limits = replace(OPERATORS_LIMITS, idle_in_transaction_seconds=60, idle_seconds=60)
    engine = open_engine(
        sqlalchemy_url(database_url), limits, name="findme migrate", poolclass=pool.NullPool
    )
    try:
        async with engine.connect() as connection:
            # Held by the session, over all transactions; it ends with it.
            await connection.execute(text(f"SELECT pg_advisory_lock({AdvisoryLock.MIGRATION:d})"))
            await connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS}s'"))
            await connection.commit()
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    await connection.run_sync(_upgrade)
                except DBAPIError as error:
                    if not _gave_way(error) or attempt == ATTEMPTS:
                        raise
                    log.warning("migration_waits_for_a_lock", attempt=attempt)
                    await connection.rollback()
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    break
            await connection.run_sync(_give_rights, roles)
    finally:
        await engine.dispose()


def _gave_way(error: DBAPIError) -> bool:
    """Whether it would have passed but for others: it waited too long, or was in a deadlock."""
    return sqlstate(error) == _LOCK_NOT_AVAILABLE or is_conflict(error)


def _give_rights(connection: Connection, roles: Collection[ServiceRole]) -> None:
    for role in roles:
        give_rights(connection, role)
    connection.commit()


def _upgrade(connection: Connection) -> None:
    # A tenth of the start of every command of `findme`, of which few migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
