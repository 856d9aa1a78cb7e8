"""Reads an archive as if it lay in the store: its records are made, its photos are read.

A photo that cannot be read is tried again, and then the answer breaks off: an archive without it
would look whole. What is in memory is one piece of one photo.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.errors import FindMeError, NotFound, Unavailable
from libs.common.storage.protocol import ObjectInfo, ObjectStore, StoreUnavailable
from services.media.archives import repository
from services.media.archives.ahead import ReadAhead, Turns
from services.media.archives.content import Content
from services.media.archives.layout import Layout, Stored
from services.media.archives.layouts import Layouts
from services.media.archives.rights import Right
from services.media.metrics import ARCHIVE_RETRIES, ARCHIVES_BROKEN
from services.media.photos.media_key import GuestCopy, Original
from services.media.renditions.guest_copies import guest_copy, read_copy
from services.media.renditions.renditions import Renditions
from services.media.responses.sources import NotOfFile

#: How often a photo is read from where it stopped, without a byte that was new.
TRIES: Final = 3
PAUSE_SECONDS: Final = 0.5
#: Less than that is sent with what follows it.
RECORDS_BYTES: Final = 64 * 1024

log = structlog.get_logger(__name__)


class ArchiveBroken(Unavailable):
    """A photo of the archive cannot be read; what was sent of the archive is not whole."""

    def __init__(self, key: str) -> None:
        super().__init__("A photo of this archive cannot be read now. Try again in a minute.")
        self.key = key


@dataclass(frozen=True, slots=True)
class ArchiveSource(NotOfFile):
    """An archive's bytes, as `Source` has them."""

    info: ObjectInfo
    layout: Layout[Content]
    store: ObjectStore
    renditions: Renditions
    database: Database
    right: Right
    ahead: Turns
    layouts: Layouts

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """As `ObjectStore.read`, of the archive. Raises ArchiveBroken, and what `Right` raises."""
        # Sent with what follows them: where the first photo fails, nothing was sent yet.
        records = b""
        pieces = self.layout.part(start, end)
        async with (
            ReadAhead(pieces, self._stored, self.ahead) as ahead,
            aclosing(ahead.each(self.right.require)) as parts,
        ):
            async for part in parts:
                if len(part) + len(records) < RECORDS_BYTES:
                    records += part
                else:
                    yield records + part if records else part
                    records = b""
        if records:
            yield records

    async def _stored(self, wanted: Stored[Content]) -> AsyncGenerator[bytes, None]:
        """Read a part of a photo. Raises ArchiveBroken once it was tried again."""
        content = wanted.entry.content
        if content.photo is None:
            yield content.text[wanted.start : wanted.end]
            return
        position, tries = wanted.start, TRIES
        while position < wanted.end:
            before = position
            try:
                async with aclosing(await self._read_on(wanted, content.photo, position)) as pieces:
                    async for piece in pieces:
                        position += len(piece)
                        yield piece
                if position != wanted.end:
                    msg = f"The photo store gave {position} bytes of {wanted.end}."
                    raise StoreUnavailable(msg)
            except FindMeError as error:
                tries = TRIES - 1 if position > before else tries - 1
                if isinstance(error, NotFound) or not tries:
                    if isinstance(error, NotFound):
                        await self._forget(content)
                    ARCHIVES_BROKEN.inc()
                    log.error("archive_broken", key=content.photo.key, at=position, error=error)  # noqa: TRY400
                    raise ArchiveBroken(content.photo.key) from error
                ARCHIVE_RETRIES.inc()
                log.warning("archive_photo_unreadable", key=content.photo.key, tries_left=tries)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _forget(self, content: Content) -> None:
        """What is known is not so: the next request asks the store, and prepares the copy anew.

        Copies are not backed up and made anew by whatever libraries there are, their rows are.
        """
        self.layouts.forget(self.right.download.id)
        if not content.is_copy:
            return
        try:
            async for attempt in self.database.attempts():
                async with attempt as unit:
                    await repository.forget_copy(unit.connection, content.photo_id)
        except (FindMeError, *DATABASE_ERRORS) as error:
            log.warning("copy_not_forgotten", photo_id=content.photo_id, kind=type(error).__name__)

    async def _read_on(
        self, wanted: Stored[Content], photo: Original, position: int
    ) -> AsyncGenerator[bytes, None]:
        """Return what reads the rest of the photo, or of its copy."""
        if not wanted.entry.content.is_copy:
            return self.store.read(photo.key, start=position, end=wanted.end)
        copied = GuestCopy(photo)
        _, copy = await guest_copy(copied, self.store, self.renditions)
        file = wanted.entry.file
        if (copy.size_bytes, copy.crc32) != (file.size_bytes, file.crc32):
            raise NotFound("Copy", photo.key)
        if not copy.pieces:
            return self.store.read(copied.picture_key, start=position, end=wanted.end)
        return read_copy(self.store, photo.key, copy, position, wanted.end)
