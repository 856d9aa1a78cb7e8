"""Photographers' uploads."""

import time
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from libs.common.rights.access import require_event_owner
from libs.common.web.auth import PhotographerOrAdmin
from libs.common.web.ids import PathId
from services.ingest.context import IngestContext
from services.ingest.metrics import OPEN_UPLOADS
from services.ingest.photos.store_photo import Kept, PhotoLimits, Uploader
from services.ingest.photos.upload_photos import (
    FILES_FIELD,
    Outcome,
    Rejected,
    error_if_nothing_kept,
    summary,
    upload_photos,
)
from services.ingest.request_body import check_announced_size, multipart_form

router = APIRouter(tags=["uploads"])


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
)
async def upload(
    event_id: PathId,
    principal: PhotographerOrAdmin,
    request: Request,
    context: IngestContext,
) -> UploadAnswer:
    """Take photos in, as a multipart form with one or more `files`."""
    # Before the body: nobody's megabytes are read for an event that is not theirs.
    max_bytes = context.settings.max_request_bytes
    check_announced_size(request.headers.get("content-length"), max_bytes=max_bytes)
    began = time.monotonic()
    async with context.resources.database.read() as connection:
        await require_event_owner(connection, principal, event_id)
    async with context.uploads.enter(waited_seconds=time.monotonic() - began):
        with OPEN_UPLOADS.track_inprogress():
            outcomes = await upload_photos(
                context.parts(request, max_bytes=max_bytes),
                Uploader(event_id=event_id, user_id=principal.user_id),
                limits=PhotoLimits(
                    max_bytes=context.settings.max_photo_bytes,
                    max_pixels=context.settings.max_pixels,
                ),
                waited_seconds=time.monotonic() - began,
                max_files=context.settings.max_files_per_request,
                store=context.resources.store,
                database=context.resources.database,
            )
    if error := error_if_nothing_kept(outcomes):
        raise error
    return _answer(outcomes)


def _answer(outcomes: list[Outcome]) -> UploadAnswer:
    kept = [outcome for outcome in outcomes if isinstance(outcome, Kept)]
    rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
    return UploadAnswer(
        message=summary(outcomes),
        enqueued=sum(outcome.status == "queued" for outcome in kept),
        failed=len(rejected),
        jobs=[
            Job(job_id=o.job_id, filename=o.name, status=o.status, photo_id=o.photo_id)
            for o in kept
        ],
        failed_uploads=[FailedUpload(filename=o.name, error=o.reason) for o in rejected] or None,
    )
