"""Sessions of others, ended as an operator or a proxy ends them."""

from sqlalchemy import text

from libs.common.database.database import Database
from tests.support.polling import eventually

GONE = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")


async def end_session(database: Database, pid: int) -> None:
    """End a session, and wait until it is gone."""

    async def is_gone() -> bool:
        async with database.read() as own:
            return not await own.scalar(GONE, {"pid": pid})

    async with database.read() as own:
        await own.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    await eventually(is_gone, poll_seconds=0.01)
