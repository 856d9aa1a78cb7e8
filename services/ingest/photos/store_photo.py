"""Take in one photo: check its header, stream it into the store, record it once."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Literal

import structlog

from libs.common.database.database import Database
from libs.common.errors import AccountGone, InvalidInput, NotFound, TransientError
from libs.common.messaging.messages import PhotoUploaded
from libs.common.storage.keys import photo_key
from libs.common.storage.protocol import ObjectStore
from libs.common.telemetry import tracing
from services.ingest.images.header import HEADER_BYTES, ImageHeader, read_header
from services.ingest.metrics import UPLOAD_BYTES
from services.ingest.photos import repository
from services.ingest.photos.digesting_writer import Digest, DigestingWriter, digesting
from services.ingest.photos.repository import AlreadyRecorded, LostClaim, NewPhoto, StoredPhoto
from services.ingest.request_body import Part, in_megabytes

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """The largest photo that is taken."""

    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Uploader:
    """Who uploads, and to which event."""

    event_id: int
    user_id: int


@dataclass(frozen=True, slots=True)
class Kept:
    """The photo is safe. A duplicate carries the ids of the photo that was there before."""

    name: str
    status: Literal["queued", "duplicate"]
    job_id: str
    photo_id: int


async def store_photo(
    part: Part,
    name: str,
    uploader: Uploader,
    *,
    limits: PhotoLimits,
    store: ObjectStore,
    database: Database,
) -> Kept:
    """Return what the photo became, or which photo has the same bytes.

    Raises InvalidInput for a file that cannot be used, NotFound when the event is gone,
    AccountGone when the account is; then nothing of it is left.
    """
    prefix = await part.read_prefix(HEADER_BYTES)
    header = await asyncio.to_thread(read_header, prefix, max_pixels=limits.max_pixels)
    job_id = uuid.uuid4().hex
    filename = f"{job_id}.{header.format.extension}"
    key = photo_key(uploader.event_id, filename)
    async with (
        store.create(key, content_type=header.format.media_type) as writer,
        digesting(writer) as sink,
    ):
        with tracing.detail("receive"):
            digest = await _receive(part, prefix, sink, max_bytes=limits.max_bytes)
        async with database.read() as connection:
            # Spares most duplicates the commit; the claim below decides.
            first = await repository.find_recent_upload(
                connection, uploader.event_id, digest.sha256
            )
        if first is not None:
            return _duplicate(name, first)
        with tracing.detail("store"):
            await writer.commit()
    photo = _row(uploader, filename, name, header, digest)
    return await _record(photo, name, job_id, key=key, store=store, database=database)


async def _receive(part: Part, prefix: bytes, sink: DigestingWriter, *, max_bytes: int) -> Digest:
    piece = prefix
    while piece:
        await sink.write(piece)
        UPLOAD_BYTES.inc(len(piece))
        if sink.size_bytes > max_bytes:
            msg = f"The file is larger than {in_megabytes(max_bytes)}. Export it smaller."
            raise InvalidInput(msg)
        piece = await part.read()
    return await sink.finish()


async def _record(
    photo: NewPhoto, name: str, job_id: str, *, key: str, store: ObjectStore, database: Database
) -> Kept:
    """Make the row and the message, or remove the object again.

    When the answer to a commit is lost, all is done once more: the file's name is unique, so the
    second attempt waits for the first one's end, and finds its row or makes it. Where that
    fails, too, nobody knows, and the object stays: a photo without its bytes is lost, while
    bytes without a photo go with the event's prefix.
    """
    may_be_recorded = False
    while True:
        is_complete = False
        try:
            async for attempt in database.attempts():
                async with attempt as unit:
                    photo_id = await repository.add_photo(unit.connection, photo)
                    unit.publish(PhotoUploaded(event_id=photo.event_id, photo_id=photo_id))
                    is_complete = True
            return Kept(name, "queued", job_id, photo_id)
        except AlreadyRecorded:
            return await _recorded(photo, name, job_id, database)
        except LostClaim:
            await store.delete(key)
            return await _first_upload(photo, name, database)
        except (NotFound, AccountGone):
            await store.delete(key)
            raise
        except Exception as error:
            if is_complete and not may_be_recorded:
                log.warning("commit_lost", filename=photo.filename, error=str(error))
                may_be_recorded = True
                continue
            if not may_be_recorded:
                await store.delete(key)
            raise


async def _recorded(photo: NewPhoto, name: str, job_id: str, database: Database) -> Kept:
    async with database.read() as connection:
        photo_id = await repository.find_photo_id(connection, photo.filename)
    if photo_id is None:
        raise NotFound("Photo", photo.filename)
    return Kept(name, "queued", job_id, photo_id)


async def _first_upload(photo: NewPhoto, name: str, database: Database) -> Kept:
    async with database.read() as connection:
        first = await repository.find_recent_upload(connection, photo.event_id, photo.sha256)
    if first is None:
        msg = f"the photo that had the bytes of {photo.filename} first is gone again"
        raise TransientError(msg)
    return _duplicate(name, first)


def _duplicate(name: str, first: StoredPhoto) -> Kept:
    job_id = first.filename.partition(".")[0]
    return Kept(name, "duplicate", job_id, first.id)


def _row(
    uploader: Uploader, filename: str, name: str, header: ImageHeader, digest: Digest
) -> NewPhoto:
    return NewPhoto(
        event_id=uploader.event_id,
        filename=filename,
        original_filename=name,
        content_type=header.format.media_type,
        photographer_id=uploader.user_id,
        sha256=digest.sha256,
        crc32=digest.crc32,
        size_bytes=digest.size_bytes,
        width=header.width,
        height=header.height,
        taken_at=header.taken_at,
        traceparent=tracing.traceparent(),
    )
