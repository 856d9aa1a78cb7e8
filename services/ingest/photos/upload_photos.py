"""Take in a request's photos, one after the other, and say what became of each."""

import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common.database.connections import DatabaseSilent
from libs.common.database.database import Database
from libs.common.database.sqlstates import sqlstate
from libs.common.errors import AccountGone, FindMeError, InvalidInput, NotFound, Unavailable
from libs.common.exhaustion import Exhausted, lacks
from libs.common.storage.protocol import ObjectStore
from libs.common.telemetry import tracing
from services.ingest.metrics import UPLOAD_SECONDS, UPLOADS
from services.ingest.photos.store_photo import Kept, PhotoLimits, Uploader, store_photo
from services.ingest.request_body import BodyTooLarge, BrokenBody, MultipartReader, Part

#: A sentence that names more files than this is not read.
MAX_NAMED_FILES = 20
FILES_FIELD = "files"
#: After so many files in a row that failed for our reasons, the next one would fail too.
GIVE_UP_AFTER = 3
OUR_FAULT = "It could not be stored for a reason on our side. Send it again in a few seconds."
MAX_NAME_CHARACTERS = 255
#: PostgreSQL's code of a wait for a lock that took DB_LOCK_TIMEOUT.
LOCK_NOT_AVAILABLE = "55P03"
#: An extension longer than this is no extension.
_MAX_EXTENSION_CHARACTERS = 16
#: What a file without a name is called.
UNNAMED = "photo"

#: Control characters, lone surrogates (not encodable), line and paragraph separators.
_REMOVED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Characters that turn the direction of text can make `gpj.exe` read as `exe.jpg`.
_REMOVED_CHARACTERS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The photo is not kept; the reason is a sentence that says what to do.

    `is_ours` when the same file may succeed later; `is_silence` when that took as long as anybody
    waits for the database, so that the next file would only add to it.
    """

    name: str
    reason: str
    is_ours: bool = False
    is_silence: bool = False


Outcome = Kept | Rejected


async def upload_photos(
    parts: MultipartReader,
    uploader: Uploader,
    *,
    limits: PhotoLimits,
    waited_seconds: float,
    max_files: int,
    store: ObjectStore,
    database: Database,
) -> list[Outcome]:
    """Return an outcome per file; one that is refused does not touch the others.

    What the request has waited for so far is off what the first photo waits for the database:
    with a table locked, the waits for a turn, the pool and the lock came to 37 s.

    Raises BrokenBody when the body cannot be read further, NotFound when the event goes
    away, AccountGone when the account does; photos that were finished by then are kept.
    """
    outcomes: list[Outcome] = []
    failures_in_a_row = 0
    # A lock that is about to be free is waited for all the same.
    seconds = max(database.answer_seconds - waited_seconds, database.lock_seconds)
    name = UNNAMED
    try:
        while part := await _next_file(parts):
            name = display_name(part.filename or b"")
            outcome: Outcome
            if len(outcomes) == max_files:
                outcomes.append(_counted(Rejected(name, _too_many_files(max_files))))
                break
            if failures_in_a_row >= GIVE_UP_AFTER:
                outcome = Rejected(name, OUR_FAULT, is_ours=True)
            else:
                outcome = await _store(
                    part,
                    name,
                    uploader,
                    limits=limits,
                    database_seconds=seconds,
                    store=store,
                    database=database,
                )
            if isinstance(outcome, Kept):
                seconds = database.answer_seconds
            is_ours = isinstance(outcome, Rejected) and outcome.is_ours
            failures_in_a_row = failures_in_a_row + 1 if is_ours else 0
            if isinstance(outcome, Rejected) and outcome.is_silence:
                failures_in_a_row = GIVE_UP_AFTER
            outcomes.append(_counted(outcome))
            name = UNNAMED  # until the next one's is read
    except BodyTooLarge as error:
        reason = f"{error} This file and those after it were not kept."
        outcomes.append(_counted(Rejected(name, reason)))
    return outcomes


async def _next_file(parts: MultipartReader) -> Part | None:
    """Skip fields of older clients, and file inputs that a browser's user left empty."""
    while part := await parts.next_part():
        if part.name == FILES_FIELD and part.filename != b"":
            return part
    return None


async def _store(
    part: Part,
    name: str,
    uploader: Uploader,
    *,
    limits: PhotoLimits,
    database_seconds: float,
    store: ObjectStore,
    database: Database,
) -> Outcome:
    started = time.perf_counter()
    with tracing.new_trace("photo", event_id=uploader.event_id) as span:
        outcome: Outcome
        try:
            outcome = await store_photo(
                part,
                name,
                uploader,
                limits=limits,
                database_seconds=database_seconds,
                store=store,
                database=database,
            )
        except (BrokenBody, BodyTooLarge, NotFound, AccountGone):
            raise
        except InvalidInput as error:
            outcome = Rejected(name, str(error))
        except Exception as error:
            # Whatever it was, the rest of the batch goes on.
            log.warning("upload_failed", event_id=uploader.event_id, name=name, exc_info=error)
            tracing.set_failed(span, error)
            outcome = Rejected(
                name, _our_fault(error), is_ours=True, is_silence=_waited_in_vain(error)
            )
        finally:
            UPLOAD_SECONDS.observe(time.perf_counter() - started)
        tracing.set_attributes(span, outcome=_label(outcome))
        if isinstance(outcome, Kept):
            tracing.set_attributes(span, photo_id=outcome.photo_id)
    return outcome


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


def _too_many_files(max_files: int) -> str:
    return (
        f"A request may have at most {max_files} files; this one and those after it were not"
        " kept. Send them in another request."
    )


def _counted(outcome: Outcome) -> Outcome:
    UPLOADS.labels(_label(outcome)).inc()
    return outcome


def _label(outcome: Outcome) -> str:
    if isinstance(outcome, Kept):
        return "enqueued" if outcome.status == "queued" else "duplicate"
    return "failed" if outcome.is_ours else "refused"


def summary(outcomes: Sequence[Outcome]) -> str:
    """One sentence that counts what happened."""
    queued = sum(isinstance(o, Kept) and o.status == "queued" for o in outcomes)
    duplicates = sum(isinstance(o, Kept) and o.status == "duplicate" for o in outcomes)
    rejected = sum(isinstance(o, Rejected) for o in outcomes)
    parts = [f"{queued} {'photo' if queued == 1 else 'photos'} queued"]
    if duplicates:
        parts.append(f"{duplicates} already uploaded")
    if rejected:
        parts.append(f"{rejected} not accepted")
    return ", ".join(parts) + "."


def error_if_nothing_kept(outcomes: Sequence[Outcome]) -> FindMeError | None:
    """The error that answers a request of which nothing was kept, None if something was.

    Clients that only look at the status must send again exactly what failed for our reasons.
    """
    rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
    if len(rejected) < len(outcomes):
        return None
    if not rejected:
        return InvalidInput("No files were sent. Send them as `files` in multipart/form-data.")
    named = " ".join(f"{o.name}: {o.reason}" for o in rejected[:MAX_NAMED_FILES])
    more = len(rejected) - MAX_NAMED_FILES
    detail = f"No photo was accepted. {named}" + (f" And {more} more." if more > 0 else "")
    return Unavailable(detail) if any(o.is_ours for o in rejected) else InvalidInput(detail)


def display_name(sent: bytes) -> str:
    """Return the last component of a path of either system, as text of at most 255 characters.

    Everything people can read is kept, characters beyond the basic plane included.
    """
    name = sent.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    name = "".join(character for character in name if not _is_removed(character))
    name = _shortened(unicodedata.normalize("NFC", name).strip())
    return UNNAMED if name in {"", ".", ".."} else name


def _is_removed(character: str) -> bool:
    return (
        character in _REMOVED_CHARACTERS or unicodedata.category(character) in _REMOVED_CATEGORIES
    )


def _shortened(name: str) -> str:
    if len(name) <= MAX_NAME_CHARACTERS:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > _MAX_EXTENSION_CHARACTERS:
        return name[:MAX_NAME_CHARACTERS].strip()
    return stem[: MAX_NAME_CHARACTERS - 1 - len(extension)] + dot + extension
