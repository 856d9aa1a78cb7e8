"""How far an upload is, told by what became of its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: Sentences that an answer has at most; more are not read, and a row must not grow by them.
MAX_ERRORS = 100
MAX_ERROR_CHARACTERS = 500

JobStatus = Literal["pending", "running", "done", "error"]


@dataclass(frozen=True, slots=True)
class JobPhoto:
    """What is known of one of the upload's photos."""

    name: str
    finished_at: datetime | None
    #: Why it cannot be shown to anybody; None when it can, or when that is not known yet.
    error: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is; `processed` are those that guests can be found in."""

    status: JobStatus
    total: int
    processed: int
    failed: int
    errors: list[str]
    finished_at: datetime | None


def progress(
    photo_ids: Sequence[int],
    photos: Mapping[int, JobPhoto],
    *,
    refused: int,
    errors: Sequence[str],
    started_at: datetime,
) -> Progress:
    """Tell it from the photos that are there; those that were deleted since need nothing more."""
    of_files = [photos[photo_id] for photo_id in photo_ids if photo_id in photos]
    waiting = sum(photo.finished_at is None for photo in of_files)
    broken = [photo for photo in of_files if photo.finished_at is not None and photo.error]
    failed = refused + len(broken)
    processed = len(photo_ids) - waiting - len(broken)
    finished_at = None
    status: JobStatus
    if not waiting:
        status = "done" if processed else "error"
        finished_at = max(
            (photo.finished_at for photo in of_files if photo.finished_at is not None),
            default=started_at,
        )
        # A file that was sent before may have been finished before.
        finished_at = max(finished_at, started_at)
    else:
        status = "running" if processed or broken else "pending"
    told = [*errors, *(error_line(photo.name, photo.error or "") for photo in broken)]
    return Progress(
        status=status,
        total=len(photo_ids) + refused,
        processed=processed,
        failed=failed,
        errors=told[:MAX_ERRORS],
        finished_at=finished_at,
    )


def error_line(name: str, reason: str) -> str:
    """Return one file's failure as a sentence of bounded length."""
    return f"{name}: {reason}"[:MAX_ERROR_CHARACTERS]
