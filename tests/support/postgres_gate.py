"""A way to a test's database that can be closed: for one client the server is away, then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import make_url

from tests.support.services import free_port


class PostgresGate:
    """Passes on what comes over TCP; closed, it throws out who is there and lets nobody in."""

    def __init__(self, database_url: str) -> None:
        self._behind = make_url(database_url)
        self._port = free_port()
        self._is_open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = self._behind.set(host="127.0.0.1", port=self._port, query={}).render_as_string(
            hide_password=False
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        try:
            yield
        finally:
            self.close()
            server.close()
            await server.wait_closed()

    def close(self) -> None:
        self._is_open = False
        for writer in self._writers:
            writer.transport.abort()

    def open(self) -> None:
        self._is_open = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_open:
            writer.close()
            return
        theirs, to_server = await self._connect()
        self._writers |= {writer, to_server}
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_pass_on(reader, to_server))
                ways.create_task(_pass_on(theirs, writer))
        finally:
            self._writers -= {writer, to_server}

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        folder = self._behind.query.get("host")
        if isinstance(folder, str):
            port = self._behind.query.get("port") or 5432
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        return await asyncio.open_connection(self._behind.host, self._behind.port or 5432)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
    finally:
        writer.close()
