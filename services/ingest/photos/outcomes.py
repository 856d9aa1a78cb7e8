"""What became of files that were sent, and how their senders are told."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.common.errors import FindMeError, InvalidInput, Unavailable
from libs.common.storage.protocol import StoreFull
from services.ingest.photos.store_photo import Kept

#: A sentence that names more files than this is not read.
MAX_NAMED_FILES = 20


@dataclass(frozen=True, slots=True)
class Rejected:
    """The photo is not kept; the reason is a sentence that says what to do.

    `is_ours` when the same file may succeed later; `is_silence` when that took as long as anybody
    waits for the database, so that the next file would only add to it. `error` is what the reason
    was told by, where it was an error of ours.
    """

    name: str
    reason: str
    is_ours: bool = False
    is_silence: bool = False
    error: FindMeError | None = None


Outcome = Kept | Rejected


class NothingKept(Unavailable):
    """No file of a request was kept, some of them for our reasons; the message names them."""

    quotes_caller = True


class NoRoom(StoreFull):
    """The same, and the store has no room."""

    quotes_caller = True


def label(outcome: Outcome) -> str:
    """Return the word that metrics and traces have for it."""
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
    if not any(o.is_ours for o in rejected):
        return InvalidInput(detail)
    return _our_error(detail, [o.error for o in rejected])


def error_of(rejected: Rejected) -> FindMeError:
    """The error that answers a request of this file alone."""
    if rejected.is_ours:
        return _our_error(rejected.reason, [rejected.error])
    return rejected.error or InvalidInput(rejected.reason)


def _our_error(detail: str, errors: Sequence[FindMeError | None]) -> FindMeError:
    if any(isinstance(error, StoreFull) for error in errors):
        return NoRoom(detail)
    return NothingKept(detail)
