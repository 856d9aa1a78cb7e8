"""One request at a time receives an upload, in whatever process; a newer one takes it over.

The client knows before the server does that a connection is dead, and goes on by another one: a
server that made it wait for the dead request's end would keep it waiting for a minute. So who wants
an upload that is held says so in its row; the holder, who looks there every second, stores what has
arrived and lets go. A holder that died says nothing more, and loses it within seconds. (tusd's
locks do the same.) Whoever was slow, and not dead, changes nothing any more: see `repository`.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from weakref import WeakSet

import structlog

from libs.common import tasks
from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.errors import FindMeError, Locked, NotFound
from services.ingest.byte_source import ByteSource
from services.ingest.request_body import BrokenBody
from services.ingest.resumable import repository
from services.ingest.resumable.rules import Upload

#: Nothing is heard of a holder for so long: it is dead.
HELD_SECONDS = 6.0
RENEWED_EVERY_SECONDS = 1.0
LOOKED_EVERY_SECONDS = 0.2
#: Who has let go by then is dead, or makes a photo of the last byte.
PATIENCE_SECONDS = 10.0
_LET_GO = "Another request goes on with this upload, or the server is about to end."

log = structlog.get_logger(__name__)


class LetGo(BrokenBody):
    """Another request, or the end of the process, wants the upload that this one receives."""


class Holding:
    """An upload in the hands of this request."""

    def __init__(self, upload: Upload, holder: uuid.UUID) -> None:
        #: As it was when it was taken.
        self.upload = upload
        self.holder = holder
        #: It became a photo, and is nobody's any more.
        self.is_over = False
        self._is_wanted = False
        self._reading: asyncio.Timeout | None = None

    def let_go(self) -> None:
        """End the reading of the body; what has arrived is stored then."""
        self._is_wanted = True
        if self._reading is not None:
            self._reading.reschedule(asyncio.get_running_loop().time())

    async def read(self, source: ByteSource) -> bytes | memoryview:
        """Read the body's next piece. Raises LetGo, and what the body raises."""
        if self._is_wanted:
            raise LetGo(_LET_GO)
        try:
            async with asyncio.timeout(None) as self._reading:
                return await source.read()
        except TimeoutError as error:
            raise LetGo(_LET_GO) from error
        finally:
            self._reading = None


class HeldSource:
    """A body that ends when the upload is to be let go of."""

    def __init__(self, source: ByteSource, holding: Holding) -> None:
        self._source = source
        self._holding = holding

    async def read(self) -> bytes | memoryview:
        """Return the next piece, b"" at the end. Raises LetGo, and what the body raises."""
        return await self._holding.read(self._source)


class Holdings:
    """All that this process holds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: WeakSet[Holding] = WeakSet()

    async def let_go(self) -> None:
        """End the reading of all: the process is to end."""
        for holding in [*self._held]:
            holding.let_go()

    @asynccontextmanager
    async def hold(self, upload_id: uuid.UUID) -> AsyncIterator[Holding]:
        """Hold the upload for the length of the block, as soon as nobody else does.

        Raises Locked when that takes too long, NotFound when the upload is gone.
        """
        holding = await self._take(upload_id)
        self._held.add(holding)
        renewing = asyncio.create_task(self._renew(holding))
        try:
            yield holding
        finally:
            await tasks.end(renewing)
            if not holding.is_over:
                await self._release(holding)

    async def until_free(self, upload_id: uuid.UUID) -> Upload:
        """Return the upload once no request receives it. Raises Locked and NotFound."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        while True:
            async with self._database.read() as connection:
                upload = await repository.find(connection, upload_id)
            if upload is None:
                raise NotFound("Upload", upload_id)
            if not upload.is_held:
                return upload
            await self._wait(upload_id, deadline)

    async def _take(self, upload_id: uuid.UUID) -> Holding:
        holder = uuid.uuid4()
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            async with self._database.single_statements() as connection:
                upload = await repository.take(
                    connection, upload_id, holder=holder, seconds=HELD_SECONDS
                )
            if upload is not None:
                return Holding(upload, holder)
            await self._wait(upload_id, deadline)

    async def _release(self, holding: Holding) -> None:
        # Where it cannot be said, it is known in a few seconds.
        with suppress(*DATABASE_ERRORS, FindMeError):
            async with self._database.single_statements() as connection:
                await repository.release(connection, holding.upload.id, holder=holding.holder)

    async def _wait(self, upload_id: uuid.UUID, deadline: float) -> None:
        if asyncio.get_running_loop().time() > deadline:
            msg = "Another request receives this upload. Try again in a few seconds."
            raise Locked(msg)
        async with self._database.single_statements() as connection:
            if not await repository.want(connection, upload_id):
                raise NotFound("Upload", upload_id)
        await asyncio.sleep(LOOKED_EVERY_SECONDS)

    async def _renew(self, holding: Holding) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY_SECONDS)
            try:
                async with self._database.single_statements() as connection:
                    is_wanted = await repository.renew(
                        connection,
                        holding.upload.id,
                        holder=holding.holder,
                        seconds=HELD_SECONDS,
                    )
            except (*DATABASE_ERRORS, FindMeError) as error:
                log.warning("upload_not_renewed", kind=type(error).__name__)
                continue
            if is_wanted is not False:
                holding.let_go()
