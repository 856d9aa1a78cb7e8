"""Renewing a claim for as long as its work is in hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import tasks
from libs.common.database.database import Database

log = structlog.get_logger(__name__)

#: A claim outlives two renewals that the database did not take.
RENEWALS_PER_LEASE = 3


@asynccontextmanager
async def renewed(
    renew: Callable[[AsyncConnection], Awaitable[None]],
    *,
    database: Database,
    lease_seconds: float,
) -> AsyncIterator[None]:
    """Call `renew` in time, for the length of the block.

    How long work may take is not known beforehand: a task that fails is proven to be at fault by
    up to three worker processes (see `tried`), each of which starts, and may be waited for.
    """

    async def keep_renewing() -> None:
        while True:
            await asyncio.sleep(lease_seconds / RENEWALS_PER_LEASE)
            try:
                async for attempt in database.attempts():
                    async with attempt as unit:
                        await renew(unit.connection)
            except Exception as error:  # noqa: BLE001 - the next one may be taken
                log.warning("claim_not_renewed", error=error)

    renewing = asyncio.create_task(keep_renewing())
    try:
        yield
    finally:
        await tasks.end(renewing)
