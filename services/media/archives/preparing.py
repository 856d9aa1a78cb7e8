"""Makes the copies of a download's photos before the first byte is sent.

An archive says of each file how long it is and what its CRC-32 is, and a copy's are known once it
was made. They are kept for all who take the photo along later; so most downloads wait for a few.
"""

import asyncio
import math
from collections.abc import Sequence
from typing import Final, Self

import structlog
from sqlalchemy.exc import IntegrityError

from libs.common.database.database import Database
from libs.common.errors import NotFound, Unavailable
from libs.common.limits.fair_queue import FairQueue
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from services.media.archives import repository
from services.media.archives.lost import MISSING
from services.media.archives.repository import CopyNote, Download
from services.media.photos.media_key import GuestCopy, Original
from services.media.renditions.guest_copies import guest_copy
from services.media.renditions.renditions import NoRendition, Renditions
from services.media.renditions.single_flight import SingleFlight

#: Copies of one download that are made at once, and downloads that are prepared at once: pictures
#: that somebody looks at are made by the same workers.
COPIES_AT_ONCE: Final = 2
DOWNLOADS_AT_ONCE: Final = 4
#: Downloads that wait for their turn; more are told to come back.
MAX_WAITING: Final = 2000
#: Copies that are made in one turn, and rows that are written together.
NOTED_AT_ONCE: Final = 50
TRIES: Final = 3
RETRY_AFTER_SECONDS: Final = 5

log = structlog.get_logger(__name__)


class BeingPrepared(Unavailable):
    """The copies are being made; what is there already is kept."""

    def __init__(self, *, retry_after_seconds: int = RETRY_AFTER_SECONDS) -> None:
        super().__init__(
            "The photos are being prepared. Try again in a few seconds.",
            retry_after_seconds=retry_after_seconds,
        )


class _NotNow(Exception):
    """A copy could not be made by a machine that had too much to do; another time it may be."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Preparations:
    """The downloads whose copies this process is making; those that ask for one share it."""

    def __init__(self, database: Database, store: ObjectStore, renditions: Renditions) -> None:
        self._database = database
        self._store = store
        self._renditions = renditions
        self._flights = SingleFlight[None]()
        self._line = FairQueue(
            at_once=DOWNLOADS_AT_ONCE,
            max_waiting=MAX_WAITING,
            refusal="Too many downloads are being prepared.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )

    async def __aenter__(self) -> Self:
        await self._flights.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._flights.__aexit__()

    async def prepare(self, download: Download, *, wait_seconds: float) -> None:
        """Make the copies that are not there; they go on being made when this stops waiting.

        Raises BeingPrepared after so long and where some have to be tried again later, and
        Unavailable when they cannot be made now.
        """
        if not download.is_of_copies:
            return
        async with self._database.read() as connection:
            if not await repository.unprepared(connection, download, after=0):
                return
        try:
            async with asyncio.timeout(wait_seconds):
                await self._flights.run(str(download.id), lambda: self._prepare(download))
        except TimeoutError as error:
            raise BeingPrepared from error

    async def _prepare(self, download: Download) -> None:
        last, later_seconds = 0, 0.0
        while True:
            async with self._database.read() as connection:
                wanted = await repository.unprepared(connection, download, after=last)
            if not wanted:
                break
            for at in range(0, len(wanted), NOTED_AT_ONCE):
                some = wanted[at : at + NOTED_AT_ONCE]
                # Who takes a few along does not wait for all that somebody else does.
                async with self._line.turn(str(download.principal.user_id)):
                    notes, seconds = await self._copies(download.event_id, some)
                    await self._note(notes)
                later_seconds = max(later_seconds, seconds)
            last = wanted[-1][0]
        if later_seconds > 0:
            raise BeingPrepared(retry_after_seconds=math.ceil(later_seconds))

    async def _copies(
        self, event_id: int, wanted: Sequence[tuple[int, str]]
    ) -> tuple[list[CopyNote], float]:
        """Return what is known of them, and in how many seconds the rest is to be tried again."""
        notes: list[CopyNote] = []
        later = [0.0]
        left = iter(wanted)

        async def make_some() -> None:
            for photo_id, filename in left:
                copied = GuestCopy(Original(event_id, filename))
                try:
                    note = await self._copy(photo_id, copied)
                except _NotNow as error:
                    later.append(error.seconds)
                else:
                    if note is not None:
                        notes.append(note)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(COPIES_AT_ONCE):
                    group.create_task(make_some())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return notes, max(later)

    async def _copy(self, photo_id: int, copied: GuestCopy) -> CopyNote | None:
        """Return what is known of the copy, None when the photo is gone.

        Raises Unavailable, and _NotNow where only this one has to wait.
        """
        for left in reversed(range(TRIES)):
            try:
                _, copy = await guest_copy(copied, self._store, self._renditions)
                if copy.pieces:
                    # Its note may have outlived it, and the archive would break off there.
                    await self._store.stat(copied.original.key)
            except NoRendition as error:
                if error.passes_in is not None:
                    raise _NotNow(error.passes_in.total_seconds()) from error
                return CopyNote(photo_id, failure=error.reason)
            except ObjectNotFound as error:
                # The row is there, or it was deleted and nothing can be noted of it.
                log.warning("copy_without_file", key=error.identifier)
                return CopyNote(photo_id, failure=MISSING)
            except NotFound:
                return None
            except Unavailable as error:
                log.warning("copy_not_made", key=copied.key, tries_left=left, error=error)
                if not left:
                    raise
                await asyncio.sleep(min(error.retry_after_seconds, RETRY_AFTER_SECONDS))
            else:
                return CopyNote(
                    photo_id,
                    size_bytes=copy.size_bytes,
                    crc32=copy.crc32,
                    is_picture=copy.is_jpeg,
                )
        raise AssertionError

    async def _note(self, notes: list[CopyNote]) -> None:
        if not notes:
            return
        try:
            async for attempt in self._database.attempts():
                async with attempt as unit:
                    await repository.note_copies(unit.connection, notes)
        except IntegrityError:
            # A photo was deleted meanwhile: the others one by one.
            if len(notes) > 1:
                for note in notes:
                    await self._note([note])
