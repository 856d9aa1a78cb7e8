"""Take in a request's photos, one after the other, and say what became of each."""

import time

import structlog

from libs.common.database.database import Database
from libs.common.errors import AccountGone, InvalidInput, NotFound
from libs.common.storage.protocol import ObjectStore
from libs.common.telemetry import tracing
from services.ingest.metrics import UPLOAD_SECONDS, UPLOADS
from services.ingest.photos.display_name import UNNAMED, display_name
from services.ingest.photos.outcomes import Kept, Outcome, Rejected
from services.ingest.photos.store_photo import PhotoLimits, Uploader, store_photo
from services.ingest.uploads.multipart import MultipartReader, Part
from services.ingest.uploads.request_body import BodyTooLarge, BrokenBody

FILES_FIELD = "files"
#: After so many files in a row that failed for our reasons, the next one would fail too.
GIVE_UP_AFTER = 3
OUR_FAULT = "It could not be stored for a reason on our side. Send it again in a few seconds."

log = structlog.get_logger(__name__)


async def upload_photos(
    parts: MultipartReader,
    uploader: Uploader,
    *,
    limits: PhotoLimits,
    max_files: int,
    store: ObjectStore,
    database: Database,
) -> list[Outcome]:
    """Return an outcome per file; one that is refused does not touch the others.

    Raises BrokenBody when the body cannot be read further, NotFound when the event goes
    away, AccountGone when the account does; photos that were finished by then are kept.
    """
    outcomes: list[Outcome] = []
    failures_in_a_row = 0
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
                    part, name, uploader, limits=limits, store=store, database=database
                )
            is_ours = isinstance(outcome, Rejected) and outcome.is_ours
            failures_in_a_row = failures_in_a_row + 1 if is_ours else 0
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
    store: ObjectStore,
    database: Database,
) -> Outcome:
    started = time.perf_counter()
    with tracing.new_trace("photo", event_id=uploader.event_id) as span:
        outcome: Outcome
        try:
            outcome = await store_photo(
                part, name, uploader, limits=limits, store=store, database=database
            )
        except (BrokenBody, BodyTooLarge, NotFound, AccountGone):
            raise
        except InvalidInput as error:
            outcome = Rejected(name, str(error))
        except Exception as error:
            # Whatever it was, the rest of the batch goes on.
            log.warning("upload_failed", event_id=uploader.event_id, name=name, exc_info=error)
            tracing.set_failed(span, error)
            outcome = Rejected(name, OUR_FAULT, is_ours=True)
        finally:
            UPLOAD_SECONDS.observe(time.perf_counter() - started)
        tracing.set_attributes(span, outcome=_label(outcome))
        if isinstance(outcome, Kept):
            tracing.set_attributes(span, photo_id=outcome.photo_id)
    return outcome


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
