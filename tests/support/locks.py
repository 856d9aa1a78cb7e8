"""Who waits for whom in PostgreSQL."""

from sqlalchemy import text

from libs.common.database.database import Database

_WAITING = text(
    "SELECT count(*) > 0 FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def someone_waits(database: Database) -> bool:
    """Whether a transaction of this database waits for another one's end."""
    async with database.read() as connection:
        return bool(await connection.scalar(_WAITING))
