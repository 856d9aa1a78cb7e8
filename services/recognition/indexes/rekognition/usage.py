"""Counts calls per event, operation and day, for the bill."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog

from libs.common.background import FIRST_PAUSE_SECONDS, BackgroundTask
from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.errors import FindMeError
from libs.common.telemetry.metrics import CHARGED
from services.recognition import metrics
from services.recognition.indexes.rekognition import repository

log = structlog.get_logger(__name__)

#: What a crash may leave uncounted.
FLUSH_SECONDS = 1.0


class Usage:
    """Calls counted in memory until they are flushed, so that no call waits for the database."""

    def __init__(self, database: Database, *, price_per_call: float) -> None:
        """`price_per_call` is in dollars, of those calls that are charged for."""
        self._database = database
        self._price_per_call = price_per_call
        #: By event, operation and minute of this process's monotonic clock: the day is the
        #: database's to say, whose clock all replicas share.
        self._calls: Counter[tuple[int, str, int]] = Counter()

    def add(self, event_id: int, operation: str) -> None:
        """Count a call that the service did, or may have done."""
        self._calls[event_id, operation, _minute()] += 1
        metrics.AWS_CALLS.labels(operation).inc()
        if operation in CHARGED:
            metrics.AWS_COST.labels(operation).inc(self._price_per_call)

    async def flush(self) -> None:
        """Write what was counted since the last time."""
        if not self._calls:
            return
        counted, self._calls = self._calls, Counter()
        try:
            async with self._database.unit_of_work() as unit:
                now = _minute()
                await repository.add_calls(
                    unit.connection,
                    {
                        (event_id, operation, now - minute): calls
                        for (event_id, operation, minute), calls in counted.items()
                    },
                )
        except BaseException:
            self._calls.update(counted)
            raise


@asynccontextmanager
async def counting(database: Database, *, price_per_call: float) -> AsyncIterator[Usage]:
    """Yield a counter that is flushed all along, and at the end."""
    usage = Usage(database, price_per_call=price_per_call)
    flusher = BackgroundTask(
        "aws usage", partial(_keep_flushing, usage), first_pause_seconds=FIRST_PAUSE_SECONDS
    )
    try:
        yield usage
    finally:
        await flusher.stop()
        await _flush(usage)


def _minute() -> int:
    return int(time.monotonic() // 60)


async def _keep_flushing(usage: Usage) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        await _flush(usage)


async def _flush(usage: Usage) -> None:
    try:
        await usage.flush()
    except (FindMeError, *DATABASE_ERRORS) as error:
        log.warning("aws_usage_not_written", error=error)
