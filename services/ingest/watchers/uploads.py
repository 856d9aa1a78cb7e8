"""What a folder watcher has sent is counted beside its name."""

from collections.abc import Sequence

import structlog

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.errors import FindMeError
from services.ingest.watchers import repository as watchers

MAX_ERROR_CHARACTERS = 500

log = structlog.get_logger(__name__)


async def count_uploads(
    watcher_id: int, event_id: int, *, ingested: int, reasons: Sequence[str], database: Database
) -> None:
    """Add a request's files, new ones and those refused for these reasons.

    A watcher that is gone, or another event's, counts nothing. Nor do photos fail because they
    could not be counted: they are safe already.
    """
    last_error = reasons[-1][:MAX_ERROR_CHARACTERS] if reasons else None
    try:
        async for attempt in database.attempts():
            async with attempt as unit:
                await watchers.add_to_counts(
                    unit.connection,
                    watcher_id,
                    event_id,
                    ingested=ingested,
                    failed=len(reasons),
                    last_error=last_error,
                )
    except (*DATABASE_ERRORS, FindMeError) as error:
        log.warning("watcher_not_counted", watcher_id=watcher_id, kind=type(error).__name__)
