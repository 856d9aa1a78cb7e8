"""What became of the files of a request, and what the request is answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from libs.common.errors import FindMeError, InvalidInput, Unavailable

#: A sentence that names more files than this is not read.
MAX_NAMED_FILES = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """The photo is safe. A duplicate carries the ids of the photo that was there before."""

    name: str
    status: Literal["queued", "duplicate"]
    job_id: str
    photo_id: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The photo is not kept; the reason is a sentence that says what to do.

    `is_ours` when the same file may succeed later.
    """

    name: str
    reason: str
    is_ours: bool = False


Outcome = Kept | Rejected


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
