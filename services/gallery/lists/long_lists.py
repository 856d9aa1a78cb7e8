"""Lists that are too long for memory: read into a file at the database's speed, sent from there.

How long a client takes to read its list holds up nobody else: what is read from the database, and
the right to read, are given back before the answer begins.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.errors import Unavailable
from services.gallery.lists.list_page import PlacedView
from services.gallery.lists.repository import Choice, is_longer
from services.gallery.web.paging import Page

#: A list without a limit is kept in memory while it is encoded up to this many photos, about
#: 900 bytes each; a longer one goes through a file.
MAX_PHOTOS_IN_MEMORY = 5000
#: Lists that are read at once; further ones wait, and pages go on.
READ_AT_ONCE = 2
#: Whoever cannot begin to read by then is asked to come back: before gateways give up, at 75 s.
BEGIN_TIMEOUT_SECONDS = 60.0
#: All lists that are read or sent at a moment, in files of /tmp: 50 of 6,000 photos, or 3 of
#: 100,000 (83 MB).
MAX_BYTES = 256 * 1024 * 1024
#: What is read from the file and sent at a time.
PIECE_BYTES = 256 * 1024
RETRY_AFTER_SECONDS = 30


class TooManyLongLists(Unavailable):
    """There is no room for another long list now."""

    def __init__(self) -> None:
        super().__init__(
            "Too many long lists are being sent. Ask for pages by ?limit=, or come back.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )


async def is_long(connection: AsyncConnection, choice: Choice, page: Page) -> bool:
    """Whether the page of the chosen photos is too long to be held in memory."""
    return page.limit is None and await is_longer(connection, choice, MAX_PHOTOS_IN_MEMORY)


class LongLists:
    """The long lists of a process; bounds how many are read, and what all of them take."""

    def __init__(self, *, read_at_once: int = READ_AT_ONCE) -> None:
        self._places = asyncio.Semaphore(read_at_once)
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """What the files of all lists take."""
        return self._bytes

    @asynccontextmanager
    async def reading(
        self, database: Database
    ) -> AsyncIterator[tuple[AsyncConnection, "LongList"]]:
        """What to read from, and a new list to write to; whoever gets the list closes it.

        It is closed here when the block fails. Raises TooManyLongLists.
        """
        try:
            async with asyncio.timeout(BEGIN_TIMEOUT_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise TooManyLongLists from error
        try:
            found = LongList(self)
            try:
                async with database.snapshot() as connection:
                    yield connection, found
            except BaseException:
                found.close()
                raise
        finally:
            self._places.release()

    def take(self, size_bytes: int) -> None:
        """Take room for a part of a list. Raises TooManyLongLists."""
        if self._bytes + size_bytes > MAX_BYTES:
            raise TooManyLongLists
        self._bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Give back the room of a list."""
        self._bytes -= size_bytes


class LongList:
    """A list as a JSON array in a file without a name, which is gone when it is closed."""

    def __init__(self, lists: LongLists) -> None:
        self._lists = lists
        self._file = tempfile.TemporaryFile(prefix="findme-list-")  # noqa: SIM115 - see close
        self._digest = hashlib.blake2b(digest_size=16)
        self.size_bytes = 0

    @property
    def etag(self) -> str:
        """The tag of what is written."""
        return f'"{self._digest.hexdigest()}"'

    async def write(self, chunks: AsyncIterator[list[PlacedView]]) -> None:
        """Write the whole list. Raises TooManyLongLists where there is no room for it."""
        opening = b"["
        async for placed in chunks:
            await self._append(opening + orjson.dumps([view for view, _ in placed])[1:-1])
            opening = b","
        await self._append(b"[]" if opening == b"[" else b"]")
        await asyncio.to_thread(self._file.seek, 0)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what was written, once."""
        while piece := await asyncio.to_thread(self._file.read, PIECE_BYTES):
            yield piece

    def close(self) -> None:
        """Give back what the list takes; closing twice does no harm."""
        if not self._file.closed:
            self._lists.give_back(self.size_bytes)
            # What the disk had no space for is tried once more, in vain.
            with suppress(OSError):
                self._file.close()

    async def _append(self, part: bytes) -> None:
        self._lists.take(len(part))
        self.size_bytes += len(part)
        try:
            await asyncio.to_thread(self._put, part)
        except OSError as error:
            # No space left, most likely: /tmp is smaller than it should be, or others filled it.
            raise TooManyLongLists from error

    def _put(self, part: bytes) -> None:
        self._file.write(part)
        self._file.flush()
        self._digest.update(part)
