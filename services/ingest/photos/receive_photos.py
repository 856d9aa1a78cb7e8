"""Take in one form's photos for whoever may upload to the event."""

import time

from fastapi import Request

from libs.common.web.auth import Principal
from services.ingest.context import Context
from services.ingest.photos.outcomes import Outcome, error_if_nothing_kept
from services.ingest.photos.rules import Way
from services.ingest.photos.take_file import count_for_watcher, destination_of
from services.ingest.photos.upload_photos import upload_photos
from services.ingest.request_body import check_announced_size


async def receive_photos(
    request: Request,
    event_id: int,
    principal: Principal,
    context: Context,
    *,
    keeps_copies: bool = False,
) -> list[Outcome]:
    """Return an outcome per file, of which one is kept at least.

    Photos that an admin uploads are the event's photographer's. Raises NotFound, NotAllowed,
    BodyTooLarge, Unavailable when it is no request's turn, what `upload_photos` raises, and the
    error that tells why nothing was kept.
    """
    # Before the body: nobody's megabytes are read for an event that is not theirs.
    max_bytes = context.settings.max_request_bytes
    check_announced_size(request.headers.get("content-length"), max_bytes=max_bytes)
    began = time.monotonic()
    database = context.resources.database
    destination = await destination_of(
        principal, event_id, Way.FORM, keeps_copies=keeps_copies, database=database
    )
    await context.check_upload(event_id)
    waited = time.monotonic() - began
    async with context.upload_turn(principal.user_id, waited_seconds=waited):
        uploaded = await upload_photos(
            context.parts(
                request,
                max_bytes=max_bytes,
                # One more than may be is answered in its own words.
                max_files=context.settings.max_files_per_request + 1,
            ),
            destination,
            limits=context.photo_limits,
            room=context.room,
            waited_seconds=time.monotonic() - began,
            max_files=context.settings.max_files_per_request,
            store=context.resources.store,
            database=database,
        )
    await count_for_watcher(uploaded.watcher_id, event_id, uploaded.outcomes, database=database)
    if error := error_if_nothing_kept(uploaded.outcomes):
        raise error
    return uploaded.outcomes
