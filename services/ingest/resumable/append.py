"""Take in the next bytes of an upload, and make a photo of it with the last one."""

from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from libs.common.database.database import Database
from libs.common.errors import Gone, InvalidInput, Unavailable
from libs.common.storage.protocol import ObjectStore
from services.ingest.byte_source import ByteSource
from services.ingest.metrics import RESUMABLE_REQUESTS
from services.ingest.photos.repository import finish_upload
from services.ingest.photos.room import Room
from services.ingest.photos.store_photo import Destination, Kept, PhotoLimits, Resumed, Salvaged
from services.ingest.photos.take_file import take_file
from services.ingest.request_body import BrokenBody
from services.ingest.resumable import repository
from services.ingest.resumable.holding import HeldSource, Holding
from services.ingest.resumable.parts import PartsLost, PartsSource, PartsWriter, RememberingSource
from services.ingest.resumable.protocol import CheckedSource, Checksum, ChecksumMismatch
from services.ingest.resumable.rules import (
    MAX_PARTS,
    PART_BYTES,
    Interrupted,
    OffsetConflict,
    Upload,
    part_name,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's bytes, and what their sender says of them.

    `size_bytes` is None where it is not said. `is_resumed` is whether the sender can go on after
    a break: who creates the upload by this request does not know it yet.
    """

    source: ByteSource
    offset: int
    size_bytes: int | None
    checksum: Checksum | None = None
    is_resumed: bool = True


async def append(
    body: Body,
    holding: Holding,
    destination: Destination,
    *,
    waited_seconds: float,
    lasts: timedelta,
    limits: PhotoLimits,
    room: Room,
    store: ObjectStore,
    database: Database,
) -> Upload:
    """Return the upload with what came; it is a photo, or a duplicate, when that was the last.

    Raises OffsetConflict, ChecksumMismatch (nothing of the body is kept), Interrupted (what had
    arrived is), and what `finish` raises.
    """
    upload = holding.upload
    if body.offset != upload.received:
        raise OffsetConflict(upload.received)
    if upload.status is not None:
        return upload
    if len(upload.parts) >= MAX_PARTS and not upload.is_whole:
        msg = f"This upload came in {MAX_PARTS} pieces already. Send it anew, in larger ones."
        raise InvalidInput(msg)
    source: ByteSource = HeldSource(body.source, holding)
    if body.checksum is not None:
        source = CheckedSource(source, body.checksum)
    writer = PartsWriter(holding, lasts=lasts, room=room, store=store, database=database)
    finisher = _Finisher(holding, destination, waited_seconds, limits, room, store, database)
    try:
        if upload.received == 0 and body.size_bytes == upload.length <= PART_BYTES:
            keeps_broken = body.is_resumed and body.checksum is None
            upload = await finisher.finish_directly(source, writer if keeps_broken else None)
        else:
            await writer.write(source, at_once=body.checksum is not None)
            upload = writer.upload
    except ChecksumMismatch:
        raise
    except BrokenBody as broken:
        RESUMABLE_REQUESTS.labels("broken").inc()
        raise Interrupted(str(broken)) from broken
    RESUMABLE_REQUESTS.labels("complete").inc()
    return await finisher.finish(upload) if upload.is_whole else upload


async def finish(
    holding: Holding,
    destination: Destination,
    *,
    limits: PhotoLimits,
    room: Room,
    store: ObjectStore,
    database: Database,
) -> Upload:
    """Make a photo of an upload that is whole.

    Raises what `take_file` raises; an upload that is refused has ended then. One that could not be
    stored for our reasons stays as it is, and is tried again by whoever asks after it.
    """
    return await _Finisher(holding, destination, 0.0, limits, room, store, database).finish(
        holding.upload
    )


async def end(upload: Upload, *, store: ObjectStore, database: Database) -> None:
    """Forget an upload and what came of it."""
    await _delete_parts(upload, store)
    async with database.single_statements() as connection:
        await repository.remove(connection, upload.id)


@dataclass(frozen=True, slots=True)
class _Finisher:
    holding: Holding
    destination: Destination
    waited_seconds: float
    limits: PhotoLimits
    room: Room
    store: ObjectStore
    database: Database

    async def finish_directly(self, source: ByteSource, writer: PartsWriter | None) -> Upload:
        """Store a file that one request brings whole: what is written once is there faster.

        What comes of one that breaks off, the writer notes as the upload's first part.
        """
        upload = self.holding.upload
        if writer is None:
            return await self._take(upload, source, keep_at=None)
        name = part_name(0, self.holding.holder)
        remembering = RememberingSource(source)
        try:
            return await self._take(upload, remembering, keep_at=upload.part_key(name))
        except Salvaged as salvaged:
            await writer.note([name], salvaged.size_bytes)
            raise
        except BrokenBody:
            # Before anything was stored.
            if beginning := remembering.beginning:
                await writer.put(beginning)
            raise

    async def finish(self, upload: Upload) -> Upload:
        """Store what came in parts."""
        source = PartsSource(upload, self.store)
        try:
            return await self._take(upload, source, keep_at=None)
        except PartsLost as lost:
            log.warning("upload_parts_lost", event_id=upload.event_id, error=lost)
            await end(upload, store=self.store, database=self.database)
            msg = "What came of this upload is not there any more. Send the file again."
            raise Gone(msg) from lost
        finally:
            await source.close()

    async def _take(self, upload: Upload, source: ByteSource, *, keep_at: str | None) -> Upload:
        try:
            kept = await take_file(
                source,
                upload.name,
                self.destination,
                sha256=upload.sha256,
                resumed=Resumed(upload.id, self.holding.holder),
                keep_at=keep_at,
                watcher_id=upload.watcher_id,
                waited_seconds=self.waited_seconds,
                limits=self.limits,
                room=self.room,
                store=self.store,
                database=self.database,
            )
        except BrokenBody:
            raise
        except InvalidInput:
            await end(upload, store=self.store, database=self.database)
            raise
        if kept.status == "duplicate":
            await self._note_duplicate(upload, kept)
        self.holding.is_over = True
        if upload.parts:
            await _delete_parts(upload, self.store)
        return replace(
            upload,
            received=upload.length,
            status=kept.status,
            job_id=kept.job_id,
            photo_id=kept.photo_id,
        )

    async def _note_duplicate(self, upload: Upload, kept: Kept) -> None:
        values = {"status": kept.status, "job_id": kept.job_id, "photo_id": kept.photo_id}
        async with self.database.single_statements() as connection:
            await finish_upload(connection, upload.id, holder=self.holding.holder, values=values)


async def _delete_parts(upload: Upload, store: ObjectStore) -> None:
    try:
        await store.delete_prefix(upload.prefix)
    except Unavailable as error:
        # They go when the upload expires.
        log.warning("upload_parts_not_deleted", event_id=upload.event_id, error=error)
