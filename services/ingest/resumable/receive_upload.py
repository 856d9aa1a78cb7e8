"""What the requests of tus 1.0 do: create an upload, go on with it, ask after it, end it."""

import time
import uuid
from datetime import timedelta

from fastapi import Request

from libs.common.errors import Gone, InvalidInput, NotFound, TooLarge, Unavailable
from libs.common.settings import MEGABYTE
from libs.common.web.auth import Principal
from services.ingest.context import Context
from services.ingest.photos.rules import Way
from services.ingest.photos.store_photo import Destination
from services.ingest.photos.take_file import destination_of
from services.ingest.request_body import RequestBody
from services.ingest.resumable import protocol, repository
from services.ingest.resumable.append import Body, append, end, finish
from services.ingest.resumable.rules import Upload

BUSY_RETRY_AFTER_SECONDS = 60


async def create_upload(request: Request, principal: Principal, context: Context) -> Upload:
    """Return a new upload, with what the request brings of the file.

    Raises InvalidInput, NotFound, NotAllowed, EventOver, Unavailable, and what `check_upload` and
    `append` raise: then the upload is not there, as its sender does not know of it.
    """
    began = time.monotonic()
    new = protocol.new_upload(request.headers)
    checksum = protocol.announced_checksum(request.headers)
    brings_bytes = protocol.has_body(request.headers)
    database = context.resources.database
    destination = await destination_of(
        principal, new.event_id, Way.TUS, keeps_copies=new.keeps_copies, database=database
    )
    if new.length == 0:
        msg = "The file is empty. Send another one."
        raise InvalidInput(msg)
    await context.check_upload(new.event_id, size_bytes=new.length)
    upload = await _add(new, principal, context)
    if not brings_bytes:
        return upload
    try:
        return await _receive(
            request, upload, 0, checksum, destination, principal, context, began, is_resumed=False
        )
    except BaseException:
        await end(upload, store=context.resources.store, database=database)
        raise


async def append_to_upload(
    request: Request, upload_id: str, principal: Principal, context: Context
) -> Upload:
    """Return the upload with the bytes that the request brings.

    Raises what `_find` and `append` raise, Locked, and WrongMedia.
    """
    began = time.monotonic()
    protocol.check_content_type(request.headers)
    offset = protocol.announced_offset(request.headers)
    checksum = protocol.announced_checksum(request.headers)
    upload, destination = await _find(upload_id, principal, context)
    return await _receive(
        request, upload, offset, checksum, destination, principal, context, began, is_resumed=True
    )


async def ask_after_upload(upload_id: str, principal: Principal, context: Context) -> Upload:
    """Return the upload as it is stored, once no request receives it any more.

    One that is whole is made a photo, if that failed before, or nobody came to it. Raises what
    `_find` and `finish` raise, and Locked.
    """
    upload, destination = await _find(upload_id, principal, context)
    if upload.is_held:
        upload = await context.holdings.until_free(upload.id)
    if not upload.is_whole:
        return upload
    async with (
        context.upload_turn(principal.user_id, waited_seconds=0),
        context.holdings.hold(upload.id) as holding,
    ):
        if not holding.upload.is_whole:
            return holding.upload
        return await finish(
            holding,
            destination,
            limits=context.photo_limits,
            room=context.room,
            store=context.resources.store,
            database=context.resources.database,
        )


async def end_upload(upload_id: str, principal: Principal, context: Context) -> None:
    """Forget an upload; a photo that it became stays. Raises what `_find` does, and Locked."""
    upload, _ = await _find(upload_id, principal, context)
    async with context.holdings.hold(upload.id) as holding:
        await end(
            holding.upload, store=context.resources.store, database=context.resources.database
        )
        holding.is_over = True


async def _find(
    upload_id: str, principal: Principal, context: Context
) -> tuple[Upload, Destination]:
    """Return an upload and where it goes. Raises NotFound, NotAllowed, EventOver, and Gone."""
    database = context.resources.database
    try:
        known = uuid.UUID(upload_id)
    except ValueError as error:
        raise NotFound("Upload", upload_id) from error
    async with database.read() as connection:
        upload = await repository.find(connection, known)
    if upload is None:
        raise NotFound("Upload", upload_id)
    destination = await destination_of(
        principal, upload.event_id, Way.TUS, keeps_copies=upload.keeps_copies, database=database
    )
    if upload.is_expired:
        msg = "This upload was not gone on with for too long. Send the file again."
        raise Gone(msg)
    return upload, destination


async def _receive(
    request: Request,
    upload: Upload,
    offset: int,
    checksum: protocol.Checksum | None,
    destination: Destination,
    principal: Principal,
    context: Context,
    began: float,
    *,
    is_resumed: bool,
) -> Upload:
    size_bytes = protocol.announced_size(request.headers)
    if size_bytes is not None and offset + size_bytes > upload.length:
        msg = f"The upload has {upload.length} bytes in all. Send no more than is missing."
        raise TooLarge(msg)
    await context.check_upload(upload.event_id, size_bytes=size_bytes)
    waited = time.monotonic() - began
    async with (
        context.upload_turn(principal.user_id, waited_seconds=waited),
        context.holdings.hold(upload.id) as holding,
    ):
        source = RequestBody(
            request.receive,
            max_bytes=upload.length - min(offset, upload.length),
            stall_seconds=context.settings.upload_stall_seconds,
        )
        return await append(
            Body(source, offset, size_bytes, checksum, is_resumed=is_resumed),
            holding,
            destination,
            waited_seconds=time.monotonic() - began,
            lasts=_lasts(context),
            limits=context.photo_limits,
            room=context.room,
            store=context.resources.store,
            database=context.resources.database,
        )


async def check_unfinished(user_id: int, event_id: int, *, length: int, context: Context) -> None:
    """Raises Unavailable where there are too many uploads already that nobody finishes.

    Some that come at the same moment may be above the limit together.
    """
    settings = context.settings
    async with context.resources.database.read() as connection:
        unfinished = await repository.count_unfinished(
            connection, user_id=user_id, event_id=event_id
        )
    for each in unfinished:
        if (
            each.count >= settings.max_unfinished_uploads
            or each.size_bytes + length > settings.max_unfinished_bytes
        ):
            msg = (
                f"Too many uploads were begun and not ended: {each.count}, of"
                f" {each.size_bytes / MEGABYTE:.1f} MB. Go on with them, or end them; they are"
                f" forgotten after {settings.unfinished_upload_hours:g} hours."
            )
            raise Unavailable(msg, retry_after_seconds=BUSY_RETRY_AFTER_SECONDS)


async def _add(new: protocol.NewUpload, principal: Principal, context: Context) -> Upload:
    """Insert the upload. Raises Unavailable where too many are unfinished."""
    await check_unfinished(principal.user_id, new.event_id, length=new.length, context=context)
    async with context.resources.database.single_statements() as connection:
        return await repository.add(
            connection,
            new,
            upload_id=uuid.uuid4(),
            user_id=principal.user_id,
            lasts=_lasts(context),
        )


def _lasts(context: Context) -> timedelta:
    return timedelta(hours=context.settings.unfinished_upload_hours)
