"""What has come of an upload lies as objects of the store, which every replica reads."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

import structlog

from libs.common.database.database import Database
from libs.common.errors import Unavailable
from libs.common.storage.protocol import ObjectNotFound, ObjectStore, StoreFull
from services.ingest.byte_source import ByteSource
from services.ingest.photos.digesting import BEGINNING_BYTES
from services.ingest.photos.repository import LostUpload
from services.ingest.photos.room import Room
from services.ingest.request_body import BodyTooLarge, BrokenBody
from services.ingest.resumable import repository
from services.ingest.resumable.holding import Holding
from services.ingest.resumable.protocol import CONTENT_TYPE
from services.ingest.resumable.rules import PART_BYTES, Upload, part_name

log = structlog.get_logger(__name__)


class PartsLost(BrokenBody):
    """The store does not have what came of an upload."""


class PartsSource:
    """An upload that is whole, as one file."""

    def __init__(self, upload: Upload, store: ObjectStore) -> None:
        self._pieces = _pieces(upload, store)

    async def read(self) -> bytes | memoryview:
        """Return the next piece, b"" at the end. Raises PartsLost and StoreUnavailable."""
        return await anext(self._pieces, b"")

    async def close(self) -> None:
        """Read no more."""
        await self._pieces.aclose()


class RememberingSource:
    """A body whose beginning, which the use case reads before it stores anything, is kept."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._pieces: list[bytes | memoryview] = []
        self._size = 0

    @property
    def beginning(self) -> bytes:
        """What has come, as long as none of it is stored."""
        return b"".join(self._pieces)

    async def read(self) -> bytes | memoryview:
        """Return the next piece, b"" at the end. Raises what the body raises."""
        if self._size >= BEGINNING_BYTES:
            self._pieces.clear()
        piece = await self._source.read()
        if self._size < BEGINNING_BYTES:
            self._pieces.append(piece)
        self._size += len(piece)
        return piece


class PartsWriter:
    """Stores a body as an upload's next parts, each noted once it is safe."""

    def __init__(
        self,
        holding: Holding,
        *,
        lasts: timedelta,
        room: Room,
        store: ObjectStore,
        database: Database,
    ) -> None:
        self.upload = holding.upload
        self._holder = holding.holder
        self._lasts = lasts
        self._room = room
        self._store = store
        self._database = database

    async def write(self, source: ByteSource, *, at_once: bool) -> None:
        """Store all that comes, part by part; with `at_once` it counts as a whole or not at all.

        Raises what the source raises, when what came before it is kept, and LostUpload.
        """
        names: list[str] = []
        size = 0
        cut = _CutSource(source, self._room)
        while cut.goes_on:
            name = part_name(self.upload.received + size, self._holder)
            if part_bytes := await self._write_part(name, cut):
                names.append(name)
                size += part_bytes
            if names and not at_once:
                await self.note(names, size)
                names, size = [], 0
        if cut.failure is not None:
            await self._discard(names)
            raise cut.failure
        if names:
            await self.note(names, size)

    async def note(self, names: list[str], size_bytes: int) -> None:
        """Note parts that are stored. Raises LostUpload where another request has the upload.

        Where the database's answer is lost they stay: they may be noted. What nothing refers to
        goes with the upload's prefix.
        """
        async with self._database.single_statements() as connection:
            upload = await repository.add_parts(
                connection,
                self.upload,
                names,
                size_bytes=size_bytes,
                holder=self._holder,
                lasts=self._lasts,
            )
        if upload is None:
            await self._discard(names)
            raise LostUpload
        self.upload = upload

    async def put(self, data: bytes) -> None:
        """Store these bytes as the next part."""
        name = part_name(self.upload.received, self._holder)
        await self._store.put(self.upload.part_key(name), data, content_type=CONTENT_TYPE)
        await self.note([name], len(data))

    async def _write_part(self, name: str, cut: "_CutSource") -> int:
        """Return how many bytes the part has; a body that breaks off ends it."""
        if not (piece := await cut.read(PART_BYTES)):
            return 0
        size = 0
        async with self._store.create(
            self.upload.part_key(name), content_type=CONTENT_TYPE
        ) as writer:
            while piece:
                await writer.write(piece)
                size += len(piece)
                piece = await cut.read(PART_BYTES - size)
            await writer.commit()
        return size

    async def _discard(self, names: list[str]) -> None:
        for name in names:
            try:
                await self._store.delete(self.upload.part_key(name))
            except Unavailable as error:
                # It goes with the upload's prefix.
                log.warning("part_not_deleted", error=error)


class _CutSource:
    """A body in pieces as large as they may be; how it broke off is kept for later."""

    def __init__(self, source: ByteSource, room: Room) -> None:
        self.failure: Exception | None = None
        self.goes_on = True
        self._source = source
        self._room = room
        self._rest: bytes | memoryview = b""

    async def read(self, at_most: int) -> bytes | memoryview:
        """Return the next bytes, b"" where none may come or none come any more."""
        if at_most == 0:
            return b""
        if not self._rest and self.goes_on:
            try:
                if piece := await self._source.read():
                    await self._room.take(len(piece))
                self._rest = piece
            except (BrokenBody, BodyTooLarge, StoreFull) as failure:
                self.failure = failure
            self.goes_on = bool(self._rest)
        piece, self._rest = self._rest[:at_most], self._rest[at_most:]
        return piece


async def _pieces(upload: Upload, store: ObjectStore) -> AsyncGenerator[bytes, None]:
    for key, size_bytes in upload.part_sizes():
        read = 0
        try:
            async with aclosing(store.read(key)) as pieces:
                async for piece in pieces:
                    read += len(piece)
                    yield piece
        except ObjectNotFound as error:
            raise PartsLost(str(error)) from error
        if read != size_bytes:
            raise PartsLost(f"a part has {read} bytes instead of {size_bytes}")
