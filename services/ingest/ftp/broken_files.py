"""What has come of files that broke off: kept for a day, for who goes on with them."""

import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.errors import FindMeError, InvalidInput, Unavailable
from libs.common.storage.keys import upload_prefix
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from services.ingest.byte_source import ByteSource
from services.ingest.context import Context
from services.ingest.ftp import repository
from services.ingest.ftp.login import Login
from services.ingest.ftp.pieces import Pieces
from services.ingest.request_body import BrokenBody
from services.ingest.resumable.receive_upload import check_unfinished

log = structlog.get_logger(__name__)

#: Its one object, below the upload's prefix.
PART_NAME = "broken-off"


class NotSoMuchCame(InvalidInput):
    """The sender would go on behind what has come."""

    def __init__(self, known_bytes: int) -> None:
        super().__init__(
            f"Of this file {known_bytes} bytes can be gone on with: ask for them by SIZE, or send"
            " it from its beginning."
        )


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """The beginning of a file, of so many bytes."""

    id: uuid.UUID
    event_id: int
    size_bytes: int

    @property
    def key(self) -> str:
        """Where it lies."""
        return upload_prefix(self.event_id, self.id) + PART_NAME

    @property
    def told_bytes(self) -> int:
        """What its sender is told of: a byte less than came, so that something is left to send.

        Of a file that came whole before its connection broke, the sender would take the rest for
        done, and it would never be a photo.
        """
        return self.size_bytes - 1


def resumes_as(login: Login, path: bytes) -> bytes:
    """Return by what a file is found again: key, address and path are the same.

    Bodies that share a key name their files alike.
    """
    return hashlib.sha256(b"\0".join((login.key.encode(), login.source.encode(), path))).digest()


async def find(login: Login, path: bytes, *, context: Context) -> BrokenFile | None:
    """Return what has come of a file that broke off."""
    async with context.resources.database.read() as connection:
        found = await repository.find_broken_file(
            connection, login.event_id, resumes_as(login, path)
        )
    return None if found is None else BrokenFile(*found)


@asynccontextmanager
async def going_on(
    broken: BrokenFile | None, pieces: Pieces, *, starts_at: int, store: ObjectStore
) -> AsyncIterator[ByteSource]:
    """Return the whole file: what came of it before `starts_at`, then what comes now."""
    if broken is None or starts_at == 0:
        yield pieces
        return
    async with aclosing(store.read(broken.key)) as stored:
        yield _Continued(stored, pieces, before_bytes=starts_at)


class _Continued:
    def __init__(self, stored: AsyncIterator[bytes], pieces: Pieces, *, before_bytes: int) -> None:
        self._stored = stored
        self._pieces = pieces
        self._missing_bytes = before_bytes

    async def read(self) -> bytes:
        """As `ByteSource.read`."""
        if not self._missing_bytes:
            return await self._pieces.read()
        try:
            piece = (await anext(self._stored, b""))[: self._missing_bytes]
        except ObjectNotFound:
            piece = b""
        if not piece:
            msg = "What came of this file is not there any more. Send it from its beginning."
            raise BrokenBody(msg)
        self._missing_bytes -= len(piece)
        self._pieces.came_before(piece)
        return piece


async def keep(
    broken: BrokenFile, name: str, digest: bytes, user_id: int, *, context: Context
) -> None:
    """Note what has come of a file and is stored; it takes the place of what came before.

    Where too much waits to be gone on with already, or it cannot be noted, it goes again.
    """
    database, store = context.resources.database, context.resources.store
    lasts = timedelta(hours=context.settings.unfinished_upload_hours)
    try:
        await check_unfinished(user_id, broken.event_id, length=broken.size_bytes, context=context)
        async with database.unit_of_work() as unit:
            replaced = await repository.replace_broken_file(
                unit.connection,
                upload_id=broken.id,
                event_id=broken.event_id,
                user_id=user_id,
                name=name,
                size_bytes=broken.size_bytes,
                part=PART_NAME,
                digest=digest,
                lasts=lasts,
            )
    except (*DATABASE_ERRORS, FindMeError) as error:
        log.warning("ftp_file_not_kept", event_id=broken.event_id, kind=type(error).__name__)
        replaced = broken.id
    if replaced is not None:
        await _delete(broken.event_id, replaced, store)


async def forget(event_id: int, digest: bytes, *, context: Context) -> None:
    """Forget what had come of a file, now that it is a photo, or will be none."""
    # Where it fails, it expires.
    with suppress(*DATABASE_ERRORS, FindMeError):
        async with context.resources.database.single_statements() as connection:
            forgotten = await repository.remove_broken_file(connection, event_id, digest)
        if forgotten is not None:
            await _delete(event_id, forgotten, context.resources.store)


async def _delete(event_id: int, upload_id: uuid.UUID, store: ObjectStore) -> None:
    try:
        await store.delete_prefix(upload_prefix(event_id, upload_id))
    except Unavailable as error:
        # It goes with the event.
        log.warning("upload_parts_not_deleted", event_id=event_id, error=error)
