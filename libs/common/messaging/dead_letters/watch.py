"""The gauge of waiting dead letters."""

import asyncio
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from libs.common.database.database import Database
from libs.common.messaging.dead_letters import repository
from libs.common.telemetry import metrics


async def watch_dead_letters(database: Database, *, every_seconds: float = 5.0) -> None:
    """Keep the gauge current until cancelled."""
    seen: set[str] = set()
    while True:
        with suppress(SQLAlchemyError, OSError):
            async with database.read() as connection:
                counts = await repository.count_by_queue(connection)
            # A queue that has none any more says so; it does not fall silent.
            seen |= counts.keys()
            for queue in seen:
                metrics.DEAD_LETTERS.labels(queue).set(counts.get(queue, 0))
        await asyncio.sleep(every_seconds)
