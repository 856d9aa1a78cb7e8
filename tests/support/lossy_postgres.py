"""A way to PostgreSQL that breaks at a commit, so that nobody knows whether it was made."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from libs.common import tasks

_COMMIT = b"COMMIT;"
PIECE_BYTES = 65536


class Loss(Enum):
    """What becomes of a commit whose answer never arrives."""

    #: It was made before the connection broke.
    MADE = "made"
    #: PostgreSQL never heard of it, and gave the transaction up.
    UNHEARD = "unheard"
    #: It is made a while after the connection broke, when `release` is called.
    LATER = "later"


class LossyPostgres:
    """Passes all on, but for the next commit after `lose`; with `is_away` it takes nobody."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self._upstream = make_url(database_url)
        self._folder = folder
        self._losses: list[Loss] = []
        self._released = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self.is_away = False
        #: Nobody gets through from the next lost commit on.
        self.goes_away = False
        #: Commits that were lost so far.
        self.lost = 0

    @property
    def url(self) -> str:
        """The same database, through here."""
        url: URL = self._upstream.set(host=None, port=None)
        url = url.update_query_dict({"host": str(self._folder)})
        return url.render_as_string(hide_password=False)

    def lose(self, *losses: Loss) -> None:
        """Lose the next commits."""
        self._losses += losses

    def release(self) -> None:
        """Let those commits pass that are lost for now."""
        self._released.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["LossyPostgres"]:
        server = await asyncio.start_unix_server(self._serve, self._folder / ".s.PGSQL.5432")
        async with server:
            yield self
            self.release()
            for connection in list(self._connections):
                await tasks.end(connection)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if not self.is_away:
                with suppress(ConnectionError):
                    await self._pass_on(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await self._connect()
        back = asyncio.create_task(_copy(server_reader, writer))
        try:
            while piece := await reader.read(PIECE_BYTES):
                if _COMMIT in piece and self._losses:
                    back.cancel()
                    await self._lose(piece, writer, server_reader, server_writer)
                    return
                server_writer.write(piece)
                await server_writer.drain()
        finally:
            back.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await back
            server_writer.close()

    async def _lose(
        self,
        commit: bytes,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> None:
        loss = self._losses.pop(0)
        self.lost += 1
        self.is_away = self.goes_away
        if loss is Loss.LATER:
            writer.close()
            await self._released.wait()
        if loss is not Loss.UNHEARD:
            server_writer.write(commit)
            await server_writer.drain()
            assert await server_reader.read(PIECE_BYTES)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = self._upstream.host or str(self._upstream.query["host"])
        port = self._upstream.port or 5432
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    writer.close()
