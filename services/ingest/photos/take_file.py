"""Take in one file, whichever way it came: the way itself only decodes and encodes.

A way of upload
1. makes its member of `rules.Way`;
2. asks `destination_of` before any byte is asked for: who may upload there, and what becomes of
   bytes that the event has already; then `Context.check_upload`, with what the sender says of the
   file's size: whether the limits have room for it;
3. waits for its turn by `Context.upload_turn`, for as long as it reads;
4. calls `take_file` with a ByteSource, whose `read` gives the file's pieces and raises BrokenBody
   where they end too early; the name as `names.display_name` makes it of what was sent.

The answer is a Kept: a new photo, or the one that is there. All else is an error of
`libs.common.errors` that says what to do, whose status is that of `libs.common.web.errors`. The
file is counted (UPLOADS, by way), and told of its watcher. A request of several files calls
`store_file` for each, and `count_for_watcher` at its end.
"""

import time
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common.database.connections import DatabaseSilent
from libs.common.database.database import Database
from libs.common.database.sqlstates import sqlstate
from libs.common.errors import (
    AccountGone,
    Conflict,
    FindMeError,
    Gone,
    InvalidInput,
    NotFound,
    Unavailable,
)
from libs.common.exhaustion import Exhausted, lacks
from libs.common.rights.access import require_event_to_upload_to
from libs.common.storage.protocol import ObjectStore
from libs.common.telemetry import tracing
from libs.common.web.auth import Principal
from services.ingest.byte_source import ByteSource
from services.ingest.metrics import UPLOAD_SECONDS, UPLOADS
from services.ingest.photos.outcomes import Outcome, Rejected, error_of, label
from services.ingest.photos.room import Room
from services.ingest.photos.rules import Way, duplicates_rule
from services.ingest.photos.store_photo import (
    Destination,
    Kept,
    PhotoLimits,
    Resumed,
    store_photo,
)
from services.ingest.request_body import BodyTooLarge, BrokenBody
from services.ingest.watchers.uploads import count_uploads

OUR_FAULT = "It could not be stored for a reason on our side. Send it again in a few seconds."
#: PostgreSQL's code of a wait for a lock that took DB_LOCK_TIMEOUT.
LOCK_NOT_AVAILABLE = "55P03"

log = structlog.get_logger(__name__)


async def destination_of(
    principal: Principal,
    event_id: int,
    way: Way,
    *,
    keeps_copies: bool = False,
    database: Database,
) -> Destination:
    """Return where the caller's files of this event go; an admin's are its photographer's.

    `keeps_copies` is whether a second copy of the same bytes was asked for. Raises NotFound,
    NotAllowed, EventOver.
    """
    async with database.read() as connection:
        target = await require_event_to_upload_to(connection, principal, event_id)
    return Destination(
        event_id,
        target.photographer_id or principal.user_id,
        way,
        duplicates_rule(way, of_event=target.duplicates, keeps_copies=keeps_copies),
    )


class EventFull(Conflict):
    """The event has as many photos as it may have."""

    def __init__(self, event_id: int, max_photos: int) -> None:
        super().__init__(
            f"This event has {max_photos:,} photos, as many as it may have. Delete some, or upload"
            " to another event."
        )
        self.event_id = event_id


async def take_file(
    source: ByteSource,
    name: str,
    destination: Destination,
    *,
    sha256: bytes | None = None,
    resumed: Resumed | None = None,
    keep_at: str | None = None,
    watcher_id: int | None = None,
    waited_seconds: float = 0.0,
    limits: PhotoLimits,
    room: Room,
    store: ObjectStore,
    database: Database,
) -> Kept:
    """Store a file that comes alone, and return what it became.

    `sha256` is what its sender says that it is; the upload that is `resumed` ends with the photo.
    What came of a file that breaks off is kept at the key `keep_at`, where there is one (Salvaged).
    What was waited for so far (`waited_seconds`) is off what is waited for the database.

    Raises what the source raises, NotFound when the event goes away, Gone when it ends,
    AccountGone when the account goes, InvalidInput (FileTooLarge, DigestMismatch) for a file that
    is refused, and NothingKept where it may succeed later. Nothing of it is left then.
    """
    outcome = await store_file(
        source,
        name,
        destination,
        sha256=sha256,
        resumed=resumed,
        keep_at=keep_at,
        limits=limits,
        room=room,
        database_seconds=first_database_seconds(waited_seconds, database),
        store=store,
        database=database,
    )
    await count_for_watcher(watcher_id, destination.event_id, [outcome], database=database)
    if isinstance(outcome, Rejected):
        raise error_of(outcome)
    return outcome


def first_database_seconds(waited_seconds: float, database: Database) -> float:
    """Return how long a request waits for the database that has waited for so long already.

    With a table locked, the waits for a turn, the pool and the lock came to 37 s. A lock that is
    about to be free is waited for all the same.
    """
    return max(database.answer_seconds - waited_seconds, database.lock_seconds)


async def store_file(
    source: ByteSource,
    name: str,
    destination: Destination,
    *,
    sha256: bytes | None = None,
    resumed: Resumed | None = None,
    keep_at: str | None = None,
    limits: PhotoLimits,
    room: Room,
    database_seconds: float,
    store: ObjectStore,
    database: Database,
) -> Outcome:
    """Store one of several files, count it, and return what it became.

    Raises what ends the whole request: what the source raises, NotFound, Gone, AccountGone.
    """
    started = time.perf_counter()
    with tracing.new_trace("photo", event_id=destination.event_id) as span:
        outcome: Outcome
        try:
            outcome = await store_photo(
                source,
                name,
                destination,
                sha256=sha256,
                resumed=resumed,
                keep_at=keep_at,
                limits=limits,
                room=room,
                database_seconds=database_seconds,
                store=store,
                database=database,
            )
        except (BrokenBody, BodyTooLarge, NotFound, Gone, AccountGone):
            raise
        except InvalidInput as error:
            outcome = Rejected(name, str(error), error=error)
        except Exception as error:
            # Whatever it was, the rest of the batch goes on.
            log.warning("upload_failed", event_id=destination.event_id, exc_info=error)
            tracing.set_failed(span, error)
            outcome = Rejected(
                name,
                _our_fault(error),
                is_ours=True,
                is_silence=_waited_in_vain(error),
                error=error if isinstance(error, FindMeError) else None,
            )
        finally:
            UPLOAD_SECONDS.labels(destination.way).observe(time.perf_counter() - started)
        tracing.set_attributes(span, outcome=label(outcome), way=destination.way)
        if isinstance(outcome, Kept):
            tracing.set_attributes(span, photo_id=outcome.photo_id)
    return counted(outcome, destination.way)


def counted(outcome: Outcome, way: Way) -> Outcome:
    """Return the outcome, which metrics know then."""
    UPLOADS.labels(label(outcome), way).inc()
    return outcome


async def count_for_watcher(
    watcher_id: int | None, event_id: int, outcomes: Sequence[Outcome], *, database: Database
) -> None:
    """Add the files to what the watcher has sent that sent them, if one did."""
    if watcher_id is None:
        return
    await count_uploads(
        watcher_id,
        event_id,
        ingested=sum(isinstance(one, Kept) and one.status == "queued" for one in outcomes),
        reasons=[one.reason for one in outcomes if isinstance(one, Rejected)],
        database=database,
    )


def _waited_in_vain(error: Exception) -> bool:
    """Whether it was waited for the database, its pool or a lock for as long as may be."""
    if isinstance(error, DBAPIError):
        return sqlstate(error) == LOCK_NOT_AVAILABLE
    return isinstance(error, (DatabaseSilent, PoolTimeout))


def _our_fault(error: Exception) -> str:
    """What is away or used up is named: a full store is not over in a few seconds."""
    if isinstance(error, Unavailable):
        return f"It could not be stored. {error}"
    if (what := lacks(error)) is not None:
        return f"It could not be stored. {Exhausted(what)}"
    return OUR_FAULT
