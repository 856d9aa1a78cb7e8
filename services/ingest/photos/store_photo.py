"""Take in one photo: check its header, stream it into the store, hashed on the way, record it."""

import asyncio
import hashlib
import uuid
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal

import structlog

from libs.common.database.connections import DatabaseSilent
from libs.common.database.database import Database
from libs.common.database.transactions import is_given_up
from libs.common.errors import AccountGone, InvalidInput, NotFound, TransientError
from libs.common.messaging.messages import PhotoUploaded
from libs.common.storage.keys import photo_key
from libs.common.storage.protocol import ObjectStore, ObjectWriter
from libs.common.telemetry import tracing
from services.ingest.images.header import HEADER_BYTES, ImageHeader, read_header
from services.ingest.metrics import UPLOAD_BYTES
from services.ingest.photos import repository
from services.ingest.photos.repository import AlreadyRecorded, LostClaim, NewPhoto, StoredPhoto
from services.ingest.request_body import Part, in_megabytes

#: A thread is entered once per batch; below a megabyte the way there costs more than the work.
BATCH_BYTES = 1024 * 1024

log = structlog.get_logger(__name__)


class CommitLost(Exception):
    """A photo may be recorded, or may be a moment later: the answer to its commit never came."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


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


@dataclass(frozen=True, slots=True)
class Digest:
    """What is known of a content once all of it went by; CRC-32 is what a ZIP will need."""

    sha256: bytes
    crc32: int
    size_bytes: int


class DigestingWriter:
    """Fills one batch while the one before is hashed and written; so at most two are held."""

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer
        self._sha256 = hashlib.sha256()
        self._crc32 = 0
        self._size_bytes = 0
        self._pieces: list[bytes] = []
        self._filled = 0
        self._in_flight: asyncio.Task[None] | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes taken so far."""
        return self._size_bytes

    async def write(self, piece: bytes) -> None:
        """Take bytes; waits while the batch before is under way. Raises what the store raises."""
        self._pieces.append(piece)
        self._filled += len(piece)
        self._size_bytes += len(piece)
        if self._filled >= BATCH_BYTES:
            await self._send_batch()

    async def finish(self) -> Digest:
        """Pass on the rest, and return what all of it was."""
        await self._send_batch()
        await self._settle()
        return Digest(self._sha256.digest(), self._crc32, self._size_bytes)

    async def _send_batch(self) -> None:
        batch, self._pieces, self._filled = b"".join(self._pieces), [], 0
        await self._settle()
        self._in_flight = asyncio.create_task(self._pass_on(batch))

    async def _settle(self) -> None:
        if self._in_flight is not None:
            await self._in_flight
            self._in_flight = None

    async def _pass_on(self, batch: bytes) -> None:
        hashing = asyncio.create_task(asyncio.to_thread(self._hash, batch))
        try:
            await self._writer.write(batch)
        finally:
            await hashing

    def _hash(self, batch: bytes) -> None:
        self._sha256.update(batch)
        self._crc32 = zlib.crc32(batch, self._crc32)

    async def abandon(self) -> None:
        """End what is under way, so that the store's writer is no longer used."""
        task, self._in_flight = self._in_flight, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


@asynccontextmanager
async def digesting(writer: ObjectWriter) -> AsyncIterator[DigestingWriter]:
    """Wrap the store's writer for the length of the block."""
    wrapped = DigestingWriter(writer)
    try:
        yield wrapped
    finally:
        await wrapped.abandon()


async def store_photo(
    part: Part,
    name: str,
    uploader: Uploader,
    *,
    limits: PhotoLimits,
    database_seconds: float,
    store: ObjectStore,
    database: Database,
) -> Kept:
    """Return what the photo became, or which photo has the same bytes.

    Raises InvalidInput for a file that cannot be used, NotFound when the event is gone,
    AccountGone when the account is; then nothing of it is left. Raises DatabaseSilent once it
    has waited for the database for so many seconds in all.
    """
    loop = asyncio.get_running_loop()
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
        asked = loop.time()
        async with _until(asked + database_seconds), database.read() as connection:
            # Spares most duplicates the commit; the claim below decides.
            first = await repository.find_recent_upload(
                connection, uploader.event_id, digest.sha256
            )
        database_seconds -= loop.time() - asked
        if first is not None:
            return _duplicate(name, first)
        with tracing.detail("store"):
            await writer.commit()
    photo = _row(uploader, filename, name, header, digest)
    deadline = loop.time() + database_seconds
    return await _record(photo, name, job_id, deadline, key=key, store=store, database=database)


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
    photo: NewPhoto,
    name: str,
    job_id: str,
    deadline: float,
    *,
    key: str,
    store: ObjectStore,
    database: Database,
) -> Kept:
    """Make the row and the message, or remove the object again.

    When the answer to a commit is lost, all is done once more: the file's name is unique, so the
    second attempt waits for the first one's end, and finds its row or makes it. Where that
    fails, too, nobody knows, and the object stays: a photo without its bytes is lost, while
    bytes without a photo go with the event's prefix.

    One deadline goes for both: with a wait for the pool of its own the second one kept clients
    waiting for 25 s.
    """
    try:
        return await _add(photo, name, job_id, deadline, key=key, store=store, database=database)
    except CommitLost as lost:
        log.warning("commit_lost", filename=photo.filename, error=str(lost.error))
    except Exception:
        await store.delete(key)
        raise
    try:
        return await _add(photo, name, job_id, deadline, key=key, store=store, database=database)
    except CommitLost as lost:
        raise lost.error from None


async def _add(
    photo: NewPhoto,
    name: str,
    job_id: str,
    deadline: float,
    *,
    key: str,
    store: ObjectStore,
    database: Database,
) -> Kept:
    """Make the row and the message; the object goes where it is known that no row refers to it.

    Raises CommitLost, NotFound, AccountGone, and DatabaseSilent at the deadline.
    """
    is_complete = False
    try:
        async with _until(deadline):
            async for attempt in database.attempts():
                async with attempt as unit:
                    is_complete = False
                    photo_id = await repository.add_photo(unit.connection, photo)
                    unit.publish(PhotoUploaded(event_id=photo.event_id, photo_id=photo_id))
                    is_complete = True
        return Kept(name, "queued", job_id, photo_id)
    except AlreadyRecorded:
        async with _until(deadline):
            return await _recorded(photo, name, job_id, database)
    except LostClaim:
        await store.delete(key)
        async with _until(deadline):
            return await _first_upload(photo, name, database)
    except (NotFound, AccountGone):
        await store.delete(key)
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
