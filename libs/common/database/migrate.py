"""Bring a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.settings import sqlalchemy_url

MIGRATIONS = Path(__file__).parent / "migrations"
#: Two migrations at once (two replicas' jobs) wait for each other on this advisory lock.
_LOCK_ID = 0x46494E44


async def upgrade(database_url: str) -> None:
    """Apply all migrations; does nothing when there is nothing to do."""
    engine = create_async_engine(sqlalchemy_url(database_url), poolclass=pool.NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_ID})"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
