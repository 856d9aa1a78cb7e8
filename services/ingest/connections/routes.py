"""How photos are sent to an event: what goes into a camera, a watcher, a program."""

import shlex
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from libs.common.rights.access import require_event_to_upload_to
from libs.common.web.auth import PhotographerOrAdmin
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.ingest.context import IngestContext
from services.ingest.ftp.repository import find_event_code
from services.ingest.ftp.settings import DEFAULT_PORT, FtpSettings

router = APIRouter(prefix="/api/photographer/events/{event_id}", tags=["uploads"])

NOT_OPEN = (
    "Cameras cannot send by FTP here: whoever runs FindMe has not opened that door (FTP_PORT)."
)
TAKES_NOBODY = (
    "The door for cameras takes no logins yet: whoever runs FindMe must give it a certificate"
    " (FTP_TLS_CERTIFICATE), or allow logins without TLS (FTP_PLAIN)."
)


class CameraConnection(BaseModel):
    """What a camera's FTP settings want. Its password is an upload key of the event.

    Where cameras cannot log in, `open` is false, `reason` says why, and the rest is null.
    """

    open: bool
    reason: str | None = None
    host: str | None = None
    port: int | None = None
    passive_ports: Annotated[str | None, Field(examples=["50000-50099"])] = None
    tls: Annotated[
        Literal["required", "offered", "none"] | None,
        Field(description="Explicit TLS (AUTH TLS); `offered` also lets in cameras without it."),
    ] = None
    user: Annotated[str | None, Field(description="The event's code.")] = None


class EventConnections(BaseModel):
    """Ways to send photos to an event; all of them want an upload key (`POST /api/api-keys`)."""

    event_id: int
    ftp: CameraConnection
    watcher_command: Annotated[
        str, Field(description="Sends a folder; FOLDER and KEY are to be replaced.")
    ]
    put_url: Annotated[str, Field(description="Takes a photo by PUT; NAME is to be replaced.")]
    tus_url: Annotated[str, Field(description="Takes uploads that can be resumed (tus 1.0).")]


@router.get("/connections", operation_id="get_upload_connections", responses=problems(404, 410))
async def connections(
    event_id: PathId, request: Request, principal: PhotographerOrAdmin, context: IngestContext
) -> EventConnections:
    """Say by which addresses and names photos are sent, as the caller reaches FindMe."""
    async with context.resources.database.read() as connection:
        await require_event_to_upload_to(connection, principal, event_id)
        code = await find_event_code(connection, event_id)
    origin = str(request.base_url).rstrip("/")
    command = ["findme-watch", "FOLDER", "--url", origin, "--key", "KEY", "--event", str(event_id)]
    return EventConnections(
        event_id=event_id,
        ftp=camera_connection(context.settings, code, request.url.hostname or ""),
        watcher_command=shlex.join(command),
        put_url=f"{origin}/api/events/{event_id}/photos/NAME",
        tus_url=f"{origin}/api/uploads",
    )


def camera_connection(settings: FtpSettings, code: str, own_host: str) -> CameraConnection:
    """Return what a camera is told; the door is where FindMe is unless a setting says more."""
    if settings.ftp_port is None:
        return CameraConnection(open=False, reason=NOT_OPEN)
    has_certificate = settings.ftp_tls_certificate is not None
    if not has_certificate and not settings.ftp_plain:
        return CameraConnection(open=False, reason=TAKES_NOBODY)
    tls: Literal["required", "offered", "none"] = "required"
    if settings.ftp_plain:
        tls = "offered" if has_certificate else "none"
    return CameraConnection(
        open=True,
        host=settings.ftp_public_host or own_host,
        port=settings.ftp_public_port or settings.ftp_port or DEFAULT_PORT,
        passive_ports=settings.ftp_passive_ports,
        tls=tls,
        user=code,
    )
