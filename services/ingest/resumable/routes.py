"""Uploads that go on after a break, by the protocol tus 1.0."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from libs.common.errors import InvalidInput
from libs.common.web.auth import Principal, Uploader
from libs.common.web.openapi import Responses, problems
from services.ingest.context import Context, IngestContext
from services.ingest.resumable import protocol
from services.ingest.resumable.receive_upload import (
    append_to_upload,
    ask_after_upload,
    create_upload,
    end_upload,
)
from services.ingest.resumable.rules import Upload

ADDRESS = "/api/uploads"

UploadId = Annotated[str, Path(max_length=64, description="As the answer's Location had it.")]


class TusRoute(APIRoute):
    """Every answer of the protocol names its version, and none is kept by a cache."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, errors too."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Tus-Resumable"] = protocol.VERSION
                headers["Cache-Control"] = "no-store"
            await send(message)

        await super().handle(scope, receive, sending)


router = APIRouter(tags=["uploads"], route_class=TusRoute)


def _header(name: str, kind: str, description: str, *, required: bool = True) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": kind},
    }


def _told(*names: str) -> dict[str, Any]:
    return {name: _HEADERS[name] for name in names}


_HEADERS: dict[str, Any] = {
    name: {"description": description, "schema": {"type": kind}}
    for name, kind, description in (
        ("Location", "string", "Where the upload is from now on."),
        ("Upload-Offset", "integer", "How many bytes of it are stored."),
        ("Upload-Length", "integer", "How many it has in all."),
        ("Upload-Metadata", "string", "What was sent when it was created."),
        ("Upload-Expires", "string", "When it is forgotten unless it is gone on with."),
        ("Tus-Version", "string", "The versions of the protocol that are spoken."),
        ("Tus-Extension", "string", "The extensions of the protocol that are spoken."),
        ("Tus-Max-Size", "integer", "The largest file, in bytes."),
        ("Tus-Checksum-Algorithm", "string", "What a body's checksum may be."),
        ("FindMe-Photo-Id", "integer", "The photo that it became, or was before."),
        ("FindMe-Job-Id", "string", "The photo's job."),
        ("FindMe-Status", "string", "`queued`, or `duplicate` of a photo that was there."),
    )
}
_OUTCOME = ("FindMe-Photo-Id", "FindMe-Job-Id", "FindMe-Status")
_VERSION: dict[str, Any] = {
    "name": "Tus-Resumable",
    "in": "header",
    "required": True,
    "description": "The version of the protocol.",
    "schema": {"type": "string", "enum": [protocol.VERSION]},
}
_CHECKSUM = _header(
    "Upload-Checksum",
    "string",
    "`sha1` or `sha256`, a space, and that of the body in base64.",
    required=False,
)
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_CORRUPTED: Responses = {
    460: {
        "description": "The body is not what Upload-Checksum says: nothing of it is kept.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


@router.options(
    ADDRESS,
    status_code=204,
    response_class=Response,
    responses={
        204: {
            "headers": _told(
                "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"
            )
        }
    },
)
@router.options(
    f"{ADDRESS}/{{upload_id}}",
    status_code=204,
    response_class=Response,
    include_in_schema=False,
)
async def describe_uploads(context: IngestContext) -> Response:
    """Say what of tus 1.0 is spoken here."""
    return Response(
        status_code=204,
        headers={
            "Tus-Version": protocol.VERSION,
            "Tus-Extension": protocol.EXTENSIONS,
            "Tus-Max-Size": str(context.settings.max_photo_bytes),
            "Tus-Checksum-Algorithm": protocol.CHECKSUM_ALGORITHMS,
        },
    )


@router.post(
    ADDRESS,
    status_code=201,
    response_class=Response,
    responses={
        201: {
            "description": "The upload is there.",
            "headers": _told("Location", "Upload-Offset", "Upload-Expires", *_OUTCOME),
        },
        **problems(400, 404, 409, 410, 412, 413, 415, 507),
        **_CORRUPTED,
    },
    openapi_extra={
        "parameters": [
            _VERSION,
            _header("Upload-Length", "integer", "The file's size in bytes."),
            _header(
                "Upload-Metadata",
                "string",
                "Pairs of a key and its value in base64, with commas between: `event_id`,"
                " `filename`, and if wanted `watcher_id`, `sha256` (64 hexadecimal digits),"
                " `duplicates` (`keep` makes one more photo of bytes that the event has already).",
            ),
            _CHECKSUM,
        ],
        "requestBody": {"required": False, "content": {protocol.CONTENT_TYPE: _BYTES}},
    },
)
async def begin_upload(request: Request, principal: Uploader, context: IngestContext) -> Response:
    """Create an upload, of which the request may bring the first bytes, or all."""
    protocol.check_version(request.headers)
    upload = await create_upload(request, principal, context)
    headers = {"Location": f"{ADDRESS}/{upload.id}"} | _state(upload)
    return Response(status_code=201, headers=headers)


@router.head(
    f"{ADDRESS}/{{upload_id}}",
    response_class=Response,
    responses={
        200: {
            "description": "How far the upload is.",
            "headers": _told(
                "Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires", *_OUTCOME
            ),
        },
        **problems(400, 404, 410, 412, 413, 423, 507),
    },
    openapi_extra={"parameters": [_VERSION]},
)
async def upload_state(
    upload_id: UploadId, request: Request, principal: Uploader, context: IngestContext
) -> Response:
    """Say how far an upload is: what is stored of it, whatever became of its last request."""
    protocol.check_version(request.headers)
    upload = await ask_after_upload(upload_id, principal, context)
    headers = _state(upload) | {"Upload-Length": str(upload.length)}
    if upload.sent_metadata:
        headers["Upload-Metadata"] = upload.sent_metadata
    return Response(status_code=200, headers=headers)


@router.patch(
    f"{ADDRESS}/{{upload_id}}",
    status_code=204,
    response_class=Response,
    responses={
        204: {
            "description": "The bytes are stored.",
            "headers": _told("Upload-Offset", "Upload-Expires", *_OUTCOME),
        },
        **problems(400, 404, 409, 410, 412, 413, 415, 423, 507),
        **_CORRUPTED,
    },
    openapi_extra={
        "parameters": [
            _VERSION,
            _header("Upload-Offset", "integer", "Where in the file the body begins."),
            _CHECKSUM,
        ],
        "requestBody": {"required": True, "content": {protocol.CONTENT_TYPE: _BYTES}},
    },
)
async def continue_upload(
    upload_id: UploadId, request: Request, principal: Uploader, context: IngestContext
) -> Response:
    """Go on with an upload; with its last byte it is a photo.

    Of a body that breaks off, what had arrived is kept.
    """
    return await _continue(upload_id, request, principal, context)


@router.delete(
    f"{ADDRESS}/{{upload_id}}",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is forgotten."}, **problems(404, 410, 412, 423)},
    openapi_extra={"parameters": [_VERSION]},
)
async def terminate_upload(
    upload_id: UploadId, request: Request, principal: Uploader, context: IngestContext
) -> Response:
    """Forget an upload and what came of it; the photo that it became stays."""
    return await _terminate(upload_id, request, principal, context)


@router.post(
    f"{ADDRESS}/{{upload_id}}",
    status_code=204,
    response_class=Response,
    include_in_schema=False,
)
async def overridden_method(
    upload_id: UploadId,
    request: Request,
    principal: Uploader,
    context: IngestContext,
    x_http_method_override: Annotated[str, Header()] = "",
) -> Response:
    """PATCH and DELETE of clients whose way lets neither through."""
    match x_http_method_override.upper():
        case "PATCH":
            return await _continue(upload_id, request, principal, context)
        case "DELETE":
            return await _terminate(upload_id, request, principal, context)
        case _:
            msg = "Send `X-HTTP-Method-Override: PATCH` with POST, or use PATCH itself."
            raise InvalidInput(msg)


async def _continue(
    upload_id: str, request: Request, principal: Principal, context: Context
) -> Response:
    protocol.check_version(request.headers)
    upload = await append_to_upload(request, upload_id, principal, context)
    return Response(status_code=204, headers=_state(upload))


async def _terminate(
    upload_id: str, request: Request, principal: Principal, context: Context
) -> Response:
    protocol.check_version(request.headers)
    await end_upload(upload_id, principal, context)
    return Response(status_code=204)


def _state(upload: Upload) -> dict[str, str]:
    headers = {
        "Upload-Offset": str(upload.received),
        "Upload-Expires": protocol.expires(upload.expires_at),
    }
    if upload.status is not None:
        headers |= {
            "FindMe-Photo-Id": str(upload.photo_id),
            "FindMe-Job-Id": str(upload.job_id),
            "FindMe-Status": upload.status,
        }
    return headers
