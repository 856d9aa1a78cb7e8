"""What uploading clients ask about an event: which files it has, and how far its photos are."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from libs.common.rights.access import require_event_to_upload_to
from libs.common.web.auth import Uploader
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.ingest.context import IngestContext
from services.ingest.progress.repository import find_photos_with

router = APIRouter(prefix="/api/events/{event_id}", tags=["uploads"])

#: Digests in one request.
MAX_ASKED = 1000

Sha256 = Annotated[
    str,
    StringConstraints(pattern="^[0-9a-fA-F]{64}$"),
    Field(examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]),
]


class AskedFiles(BaseModel):
    """The SHA-256 of files that might be sent, in hex."""

    sha256: Annotated[list[Sha256], Field(min_length=1, max_length=MAX_ASKED)]


class ExistingFile(BaseModel):
    """A file that the event has, and which photo it is."""

    sha256: Sha256
    photo_id: int


class ExistingFiles(BaseModel):
    """Those of the files that the event has, in the order asked."""

    existing: list[ExistingFile]


class EventProgress(BaseModel):
    """How far an event's photos are.

    Of those `received`, faces were looked for in those `analysed`, of which those `matched` are
    finished; `failed` ones cannot be used, and `pending` ones are not finished. `eta_seconds` is
    how long that takes by the pace of the last two minutes; null when nothing pends, or no pace
    is known yet. Counts are a second old at most, in an event of 100,000 photos some seconds.
    """

    received: int
    analysed: int
    matched: int
    failed: int
    pending: int
    eta_seconds: int | None


@router.post("/photos/exists", operation_id="find_existing_photos", responses=problems(404, 410))
async def exists(
    event_id: PathId, asked: AskedFiles, principal: Uploader, context: IngestContext
) -> ExistingFiles:
    """Say which files the event has already, so that they need not be sent."""
    async with context.resources.database.read() as connection:
        await require_event_to_upload_to(connection, principal, event_id)
        found = await find_photos_with(
            connection, event_id, {bytes.fromhex(digest) for digest in asked.sha256}
        )
    return ExistingFiles(
        existing=[
            ExistingFile(sha256=digest, photo_id=found[content])
            for digest in dict.fromkeys(asked.sha256)
            if (content := bytes.fromhex(digest)) in found
        ]
    )


@router.get("/progress", operation_id="get_upload_progress", responses=problems(404, 410))
async def progress(event_id: PathId, principal: Uploader, context: IngestContext) -> EventProgress:
    """Count the event's photos by what has become of them."""
    async with context.resources.database.read() as connection:
        await require_event_to_upload_to(connection, principal, event_id, to_look=True)
    found = await context.progress.of(event_id)
    counts = found.counts
    return EventProgress(
        received=counts.received,
        analysed=counts.analysed + counts.matched,
        matched=counts.matched,
        failed=counts.failed,
        pending=counts.pending,
        eta_seconds=found.eta_seconds,
    )
