"""Store one photo: check its header, stream it into the store, hashed on the way, record it.

Where the beginning of the file does not decide, the header is read from what was stored.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import structlog

from libs.common.database.connections import DatabaseSilent
from libs.common.database.database import Database
from libs.common.database.transactions import is_given_up
from libs.common.errors import (
    AccountGone,
    Gone,
    InvalidInput,
    NotFound,
    TooLarge,
    TransientError,
    Unavailable,
)
from libs.common.messaging.messages import PhotoUploaded
from libs.common.storage.keys import photo_key
from libs.common.storage.protocol import ObjectStore
from libs.common.telemetry import tracing
from services.ingest.byte_source import ByteSource
from services.ingest.images.header import HeaderReading, ImageHeader
from services.ingest.metrics import UPLOAD_BYTES
from services.ingest.photos import repository
from services.ingest.photos.digesting import (
    BEGINNING_BYTES,
    Batches,
    Digest,
    DigestingWriter,
    digesting,
)
from services.ingest.photos.names import with_extension
from services.ingest.photos.repository import AlreadyRecorded, LostClaim, NewPhoto, StoredPhoto
from services.ingest.photos.room import Room
from services.ingest.photos.rules import Duplicates, Way
from services.ingest.photos.stored_header import read_stored_header
from services.ingest.request_body import BrokenBody, in_megabytes

log = structlog.get_logger(__name__)


class CommitLost(Exception):
    """A photo may be recorded, or may be a moment later: the answer to its commit never came."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class FileTooLarge(TooLarge):
    """The file has more bytes than a photo may have."""


class DigestMismatch(InvalidInput):
    """The file did not arrive as its sender says that it is."""

    def __init__(self) -> None:
        super().__init__("The file changed on its way: its SHA-256 is another. Send it again.")


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """The largest photo that is taken."""

    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a sender's files go: to which event, and whose photos they are then.

    `way` is how they come, and `duplicates` what becomes of bytes that the event has already.
    """

    event_id: int
    photographer_id: int
    way: Way
    duplicates: Duplicates


class Salvaged(BrokenBody):
    """The file broke off, and what had come of it lies where it was to be kept."""

    def __init__(self, size_bytes: int, reason: str) -> None:
        super().__init__(reason)
        self.size_bytes = size_bytes


@dataclass(frozen=True, slots=True)
class Resumed:
    """The resumable upload that a file is the whole of, and the request that holds it."""

    upload_id: uuid.UUID
    holder: uuid.UUID


@dataclass(frozen=True, slots=True)
class Kept:
    """The photo is safe. A duplicate carries the ids of the photo that was there before."""

    name: str
    status: Literal["queued", "duplicate"]
    job_id: str
    photo_id: int


async def store_photo(
    source: ByteSource,
    name: str,
    destination: Destination,
    *,
    sha256: bytes | None,
    resumed: Resumed | None = None,
    keep_at: str | None = None,
    limits: PhotoLimits,
    room: Room,
    database_seconds: float,
    store: ObjectStore,
    database: Database,
) -> Kept:
    """Return what the photo became, or which photo has the same bytes.

    What is `resumed` ends with its photo, in the same transaction. `keep_at` is the key of what has
    come of a file that breaks off; None where nobody goes on. It is Salvaged then.

    Raises InvalidInput for a file that cannot be used, or does not have the SHA-256 that its
    sender says, NotFound when the event is gone, AccountGone when the account is; then nothing of
    it is left. Raises DatabaseSilent once it has waited for the database for so many seconds in
    all.
    """
    loop = asyncio.get_running_loop()
    batches = Batches(source)
    beginning = await batches.first_two()
    reading = await _begin_header(beginning, limits.max_pixels)
    name = with_extension(name, reading.format)
    job_id = uuid.uuid4().hex
    filename = f"{job_id}.{reading.format.extension}"
    key = photo_key(destination.event_id, filename)
    async with (
        store.create(key, content_type=reading.format.media_type) as writer,
        digesting(writer) as sink,
    ):
        try:
            with tracing.detail("receive"):
                digest = await _receive(
                    beginning,
                    batches,
                    sink,
                    way=destination.way,
                    room=room,
                    max_bytes=limits.max_bytes,
                )
        except BrokenBody as broken:
            if keep_at is None:
                raise
            await sink.write(batches.unfinished)
            arrived = await sink.finish()
            await writer.commit_as(keep_at)
            raise Salvaged(arrived.size_bytes, str(broken)) from broken
        if sha256 is not None and sha256 != digest.sha256:
            raise DigestMismatch
        if destination.duplicates is not Duplicates.KEEP:
            asked = loop.time()
            async with _until(asked + database_seconds), database.read() as connection:
                # Spares most duplicates the commit; the claim below decides.
                first = await repository.find_earlier_photo(
                    connection, destination.event_id, digest.sha256, destination.duplicates
                )
            database_seconds -= loop.time() - asked
            if first is not None:
                return _duplicate(name, first)
        with tracing.detail("store"):
            await writer.commit()
    header = await _whole_header(reading, key, digest.size_bytes, store)
    recording = _Recording(
        _row(destination, filename, name, header, digest),
        job_id,
        key,
        destination.duplicates,
        loop.time() + database_seconds,
        resumed,
    )
    return await _record(recording, store=store, database=database)


async def _begin_header(beginning: Sequence[memoryview], max_pixels: int) -> HeaderReading:
    first = b"".join(beginning)
    return await asyncio.to_thread(
        HeaderReading,
        first,
        size_bytes=len(first) if len(first) < BEGINNING_BYTES else None,
        max_pixels=max_pixels,
    )


async def _whole_header(
    reading: HeaderReading, key: str, size_bytes: int, store: ObjectStore
) -> ImageHeader:
    """Return the header of what is stored, which goes again where that is no photo."""
    if reading.wanted is None:
        return reading.header
    try:
        return await read_stored_header(reading, key, size_bytes, store)
    except BaseException:
        await asyncio.shield(_forget(key, store))
        raise


async def _forget(key: str, store: ObjectStore) -> None:
    try:
        await store.delete(key)
    except Unavailable as error:
        # It goes with the event's prefix.
        log.warning("photo_not_deleted", key=key, error=error)


async def _receive(
    beginning: Sequence[memoryview],
    batches: Batches,
    sink: DigestingWriter,
    *,
    way: Way,
    room: Room,
    max_bytes: int,
) -> Digest:
    received = UPLOAD_BYTES.labels(way)
    first = iter(beginning)
    while batch := next(first, None) or await batches.next():
        received.inc(len(batch))
        if sink.size_bytes + len(batch) > max_bytes:
            raise file_too_large(max_bytes)
        await room.take(len(batch))
        await sink.write(batch)
    return await sink.finish()


def file_too_large(max_bytes: int) -> FileTooLarge:
    """The error that names the limit."""
    return FileTooLarge(f"The file is larger than {in_megabytes(max_bytes)}. Export it smaller.")


@dataclass(frozen=True, slots=True)
class _Recording:
    """A photo whose bytes are stored, and what it takes to make its row.

    `deadline` is when the database is not waited for any more, by the loop's clock.
    """

    photo: NewPhoto
    job_id: str
    key: str
    duplicates: Duplicates
    deadline: float
    resumed: Resumed | None


async def _record(recording: _Recording, *, store: ObjectStore, database: Database) -> Kept:
    """Make the row and the message, or remove the object again.

    When the answer to a commit is lost, all is done once more: the file's name is unique, so the
    second attempt waits for the first one's end, and finds its row or makes it. Where that
    fails, too, nobody knows, and the object stays: a photo without its bytes is lost, while
    bytes without a photo go with the event's prefix.

    One deadline goes for both: with a wait for the pool of its own the second one kept clients
    waiting for 25 s.
    """
    try:
        return await _add(recording, store=store, database=database)
    except CommitLost as lost:
        log.warning("commit_lost", filename=recording.photo.filename, error=lost.error)
    except Exception:
        await store.delete(recording.key)
        raise
    try:
        return await _add(recording, store=store, database=database)
    except CommitLost as lost:
        raise lost.error from None


async def _add(recording: _Recording, *, store: ObjectStore, database: Database) -> Kept:
    """Make the row and the message; the object goes where it is known that no row refers to it.

    Raises CommitLost, NotFound, AccountGone, and DatabaseSilent at the deadline.
    """
    photo = recording.photo
    is_complete = False
    try:
        async with _until(recording.deadline):
            async for attempt in database.attempts():
                async with attempt as unit:
                    is_complete = False
                    added = await repository.add_photo(unit.connection, photo, recording.duplicates)
                    if (resumed := recording.resumed) is not None:
                        await repository.finish_upload(
                            unit.connection,
                            resumed.upload_id,
                            holder=resumed.holder,
                            values={
                                "status": "queued",
                                "job_id": recording.job_id,
                                "photo_id": added.id,
                            },
                        )
                    unit.publish(
                        PhotoUploaded(
                            event_id=photo.event_id,
                            photo_id=added.id,
                            seen_by_all=added.seen_by_all,
                            in_bulk=added.in_bulk,
                        )
                    )
                    is_complete = True
        return Kept(photo.original_filename, "queued", recording.job_id, added.id)
    except AlreadyRecorded:
        async with _until(recording.deadline):
            return await _recorded(recording, database)
    except LostClaim:
        await store.delete(recording.key)
        async with _until(recording.deadline):
            return await _first_upload(recording, database)
    except (NotFound, Gone, AccountGone):
        await store.delete(recording.key)
        raise
    except Exception as error:
        # PostgreSQL may have said itself that nothing was committed.
        if is_complete and not is_given_up(error):
            raise CommitLost(error) from error
        raise


@asynccontextmanager
async def _until(deadline: float) -> AsyncIterator[None]:
    """Give up what is asked of the database at this time of the loop, with DatabaseSilent."""
    try:
        async with asyncio.timeout_at(deadline) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise DatabaseSilent("The database does not answer. Try again in a few seconds.") from error


async def _recorded(recording: _Recording, database: Database) -> Kept:
    photo = recording.photo
    async with database.read() as connection:
        photo_id = await repository.find_photo_id(connection, photo.filename)
    if photo_id is None:
        raise NotFound("Photo", photo.filename)
    return Kept(photo.original_filename, "queued", recording.job_id, photo_id)


async def _first_upload(recording: _Recording, database: Database) -> Kept:
    photo = recording.photo
    async with database.read() as connection:
        first = await repository.find_earlier_photo(
            connection, photo.event_id, photo.sha256, recording.duplicates
        )
    if first is None:
        msg = f"the photo that had the bytes of {photo.filename} first is gone again"
        raise TransientError(msg)
    return _duplicate(photo.original_filename, first)


def _duplicate(name: str, first: StoredPhoto) -> Kept:
    job_id = first.filename.partition(".")[0]
    return Kept(name, "duplicate", job_id, first.id)


def _row(
    destination: Destination, filename: str, name: str, header: ImageHeader, digest: Digest
) -> NewPhoto:
    return NewPhoto(
        event_id=destination.event_id,
        filename=filename,
        original_filename=name,
        content_type=header.format.media_type,
        photographer_id=destination.photographer_id,
        sha256=digest.sha256,
        crc32=digest.crc32,
        size_bytes=digest.size_bytes,
        width=header.width,
        height=header.height,
        taken_at=header.taken.moment if header.taken else None,
        taken_at_offset=header.taken.offset_minutes if header.taken else None,
        camera=header.camera,
        traceparent=tracing.traceparent(),
    )
