"""What the routes of ingest work with, put together once per application."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from libs.common.resources import Resources
from services.ingest.selfies.face_check import FaceCheck
from services.ingest.settings import IngestSettings
from services.ingest.uploads.admission import Admission
from services.ingest.uploads.multipart import MultipartReader
from services.ingest.uploads.request_body import RequestBody


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, connections and limits of one application."""

    settings: IngestSettings
    resources: Resources
    face_check: FaceCheck
    uploads: Admission
    selfies: Admission

    def parts(self, request: Request, *, max_bytes: int) -> MultipartReader:
        """Read the request's body part by part. Raises MalformedMultipart."""
        body = RequestBody(
            request.receive,
            max_bytes=max_bytes,
            stall_seconds=self.settings.upload_stall_seconds,
        )
        return MultipartReader(body, request.headers.get("content-type", ""))


def make_context(settings: IngestSettings, resources: Resources, face_check: FaceCheck) -> Context:
    """Put together what the settings say."""
    return Context(
        settings=settings,
        resources=resources,
        face_check=face_check,
        uploads=_admission(settings, at_once=settings.max_concurrent_uploads),
        selfies=_admission(settings, at_once=settings.max_concurrent_selfies),
    )


def _admission(settings: IngestSettings, *, at_once: int) -> Admission:
    return Admission(
        at_once=at_once,
        waiting=settings.max_waiting_requests,
        patience_seconds=settings.admission_patience_seconds,
    )


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


IngestContext = Annotated[Context, Depends(_context)]
