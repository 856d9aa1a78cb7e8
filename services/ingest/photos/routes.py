"""Photographers' uploads."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from libs.common.web.auth import Uploader
from libs.common.web.ids import PathId, RowId
from libs.common.web.openapi import problems
from services.ingest.context import IngestContext
from services.ingest.photos.outcomes import Outcome, Rejected, summary
from services.ingest.photos.receive_photo import receive_photo
from services.ingest.photos.receive_photos import receive_photos
from services.ingest.photos.store_photo import Kept
from services.ingest.photos.upload_photos import FILES_FIELD
from services.ingest.request_body import multipart_form, raw_body

router = APIRouter(tags=["uploads"])

Copies = Annotated[
    Literal["keep"] | None,
    Query(
        alias="duplicates",
        description="`keep` makes one more photo of bytes that the event has already.",
    ),
]


class Job(BaseModel):
    """A photo that is safe."""

    job_id: str
    filename: str
    status: Literal["queued", "duplicate"]
    photo_id: int


class FailedUpload(BaseModel):
    """A file that is not kept, and what to do about it."""

    filename: str
    error: str


class UploadAnswer(BaseModel):
    """What became of the files; names are those they were sent with."""

    message: str
    enqueued: int
    failed: int
    jobs: list[Job]
    failed_uploads: list[FailedUpload] | None = None


@router.post(
    "/api/photographer/events/{event_id}/upload-photos",
    response_model_exclude_none=True,
    openapi_extra=multipart_form(FILES_FIELD, repeated=True),
    operation_id="upload_photos",
    responses=problems(404, 409, 507),
)
async def upload(
    event_id: PathId,
    principal: Uploader,
    request: Request,
    context: IngestContext,
    copies: Copies = None,
) -> UploadAnswer:
    """Take photos in, as a multipart form with one or more `files`."""
    outcomes = await receive_photos(
        request, event_id, principal, context, keeps_copies=copies is not None
    )
    return _answer(outcomes)


_SAME_BYTES: dict[str, Any] = {
    "model": Job,
    "description": "The event has these bytes: the photo that is there.",
}


@router.put(
    "/api/events/{event_id}/photos/{name}",
    status_code=201,
    openapi_extra=raw_body(),
    operation_id="put_photo",
    responses={200: _SAME_BYTES, **problems(404, 409, 410, 413, 507)},
)
async def put(
    event_id: PathId,
    name: Annotated[
        str,
        Path(description="What the photo is called.", examples=["IMG_1.JPG"], max_length=255),
    ],
    principal: Uploader,
    request: Request,
    response: Response,
    context: IngestContext,
    watcher_id: Annotated[
        RowId | None, Query(description="The folder watcher that sends it, to be counted there.")
    ] = None,
    copies: Copies = None,
) -> Job:
    """Take one photo in, as the body.

    `Repr-Digest`, `Content-Digest` (`sha-256=:…:`) and `Digest` (`SHA-256=…`) are checked. The same
    bytes in an event are one photo for its whole life, unless the event or the sender says
    otherwise.
    """
    kept = await receive_photo(
        request,
        event_id,
        principal,
        context,
        watcher_id=watcher_id,
        keeps_copies=copies is not None,
    )
    if kept.status == "duplicate":
        response.status_code = 200
    return _job(kept)


def _answer(outcomes: list[Outcome]) -> UploadAnswer:
    kept = [outcome for outcome in outcomes if isinstance(outcome, Kept)]
    rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
    return UploadAnswer(
        message=summary(outcomes),
        enqueued=sum(outcome.status == "queued" for outcome in kept),
        failed=len(rejected),
        jobs=[_job(outcome) for outcome in kept],
        failed_uploads=[FailedUpload(filename=o.name, error=o.reason) for o in rejected] or None,
    )


def _job(kept: Kept) -> Job:
    return Job(job_id=kept.job_id, filename=kept.name, status=kept.status, photo_id=kept.photo_id)
