"""Take in the photo that is a request's body."""

import time
from urllib.parse import unquote_to_bytes

from fastapi import Request

from libs.common.web.auth import Principal
from services.ingest.context import Context
from services.ingest.photos.digest_headers import announced_sha256
from services.ingest.photos.names import display_name
from services.ingest.photos.rules import Way
from services.ingest.photos.store_photo import Kept
from services.ingest.photos.take_file import destination_of, take_file


async def receive_photo(
    request: Request,
    event_id: int,
    principal: Principal,
    context: Context,
    *,
    watcher_id: int | None,
    keeps_copies: bool,
) -> Kept:
    """Return what the body became; its name is the path's last part.

    Raises NotFound, NotAllowed, EventOver, BadDigest, Unavailable and what `check_upload` raises
    before a byte of it is asked for (a client that sends `Expect: 100-continue` then sends none),
    and what `take_file` raises.
    """
    began = time.monotonic()
    database = context.resources.database
    destination = await destination_of(
        principal, event_id, Way.PUT, keeps_copies=keeps_copies, database=database
    )
    await context.check_upload(event_id, size_bytes=_content_length(request))
    sha256 = announced_sha256(request.headers)
    waited = time.monotonic() - began
    async with context.upload_turn(principal.user_id, waited_seconds=waited):
        return await take_file(
            context.file_body(request),
            display_name(_sent_name(request)),
            destination,
            sha256=sha256,
            watcher_id=watcher_id,
            waited_seconds=time.monotonic() - began,
            limits=context.photo_limits,
            room=context.room,
            store=context.resources.store,
            database=database,
        )


def _content_length(request: Request) -> int | None:
    value = request.headers.get("content-length", "")
    return int(value) if value.isdecimal() else None


def _sent_name(request: Request) -> bytes:
    """Return the name as it was sent: names of old cameras' cards need not be UTF-8."""
    raw_path: bytes = request.scope["raw_path"]
    return unquote_to_bytes(raw_path.partition(b"?")[0].rpartition(b"/")[2])
