"""Uploads whose sender asks afterwards how far they are."""

import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from libs.common.web.auth import Uploader
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.ingest.context import IngestContext
from services.ingest.photos.receive_photos import receive_photos
from services.ingest.photos.routes import Copies
from services.ingest.photos.upload_photos import FILES_FIELD
from services.ingest.request_body import multipart_form
from services.ingest.upload_jobs.jobs import job_status, note_job
from services.ingest.upload_jobs.rules import JobStatus

router = APIRouter(tags=["uploads"])


class JobScheduled(BaseModel):
    """All files are safe that are not told of as failed; their analysis goes on by itself."""

    job_id: str
    status: Literal["scheduled"] = "scheduled"


class UploadJobStatus(BaseModel):
    """How far an upload is.

    `processed` photos are analysed and matched, `failed` files were refused or cannot be analysed;
    when all are one or the other, `status` is "done", or "error" when every file failed.
    """

    id: str
    event_id: int
    photographer_id: int | None
    status: JobStatus
    total: int
    processed: int
    failed: int
    errors: list[str]
    started_at: datetime
    finished_at: datetime | None


@router.post(
    "/api/photographer/events/{event_id}/upload-photos-async",
    openapi_extra=multipart_form(FILES_FIELD, repeated=True),
    operation_id="upload_photos_async",
    responses=problems(404, 409, 507),
)
async def upload_asynchronously(
    event_id: PathId,
    principal: Uploader,
    request: Request,
    context: IngestContext,
    copies: Copies = None,
) -> JobScheduled:
    """Take photos in, and answer an id by which their processing can be asked after."""
    outcomes = await receive_photos(
        request, event_id, principal, context, keeps_copies=copies is not None
    )
    job_id = await note_job(outcomes, event_id, principal, database=context.resources.database)
    return JobScheduled(job_id=job_id)


@router.get("/api/upload-jobs/{job_id}/status", responses=problems(404))
async def upload_job_status(
    job_id: uuid.UUID, principal: Uploader, context: IngestContext
) -> UploadJobStatus:
    """Say how far an upload is; a job is kept for 30 days."""
    job, progress = await job_status(str(job_id), principal, database=context.resources.database)
    return UploadJobStatus(
        id=job.id,
        event_id=job.event_id,
        photographer_id=job.photographer_id,
        status=progress.status,
        total=progress.total,
        processed=progress.processed,
        failed=progress.failed,
        errors=progress.errors,
        started_at=job.started_at,
        finished_at=progress.finished_at,
    )
