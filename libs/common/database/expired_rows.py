"""Rows that expire are deleted for as long as a service runs, some of them in a transaction."""

import asyncio
from typing import NoReturn, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.database.sqlstates import is_away

log = structlog.get_logger(__name__)


class DeleteExpired(Protocol):
    """Deletes so many at most; returns how many there were."""

    async def __call__(self, connection: AsyncConnection, /, *, at_most: int) -> int: ...


async def keep_deleting(
    delete: DeleteExpired, database: Database, *, every_seconds: float, at_once: int, waits: str
) -> NoReturn:
    """Delete all that have expired, at once and then again and again.

    `waits` is logged while the database is away.

    Raises what the database says where it is not away.
    """
    while True:
        try:
            deleted = at_once
            while deleted == at_once:
                async with database.unit_of_work() as unit:
                    deleted = await delete(unit.connection, at_most=at_once)
        except Exception as error:
            if not is_away(error):
                raise
            log.info(waits, kind=type(error).__name__)
        await asyncio.sleep(every_seconds)
