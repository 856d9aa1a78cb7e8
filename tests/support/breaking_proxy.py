"""A way to a server whose connections break after so many bytes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from libs.common import tasks

PIECE_BYTES = 16 * 1024


class BreakingProxy:
    """Forwards connections, to its servers in turn; those that are to break do so on their way in.

    `breaks` has the bytes after which each of the next connections breaks that brings so many;
    the others go through.
    """

    def __init__(self, targets: Iterable[str], breaks: Iterable[int]) -> None:
        self._targets = deque((where.hostname, where.port) for where in map(urlsplit, targets))
        self._connections: set[asyncio.Task[None]] = set()
        self.breaks = deque(breaks)
        self.broken = 0
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["BreakingProxy"]:
        """Listen on a free port for the length of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            await tasks.end(*self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        self._targets.rotate(-1)
        host, port = self._targets[0]
        back, forth = await asyncio.open_connection(host, port)
        answering = asyncio.create_task(_pump(back, writer))
        try:
            await self._bring(reader, forth)
        finally:
            forth.close()
            with suppress(ConnectionError):
                await forth.wait_closed()
            await tasks.end(answering)
            writer.transport.abort()

    async def _bring(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        brought = 0
        with suppress(ConnectionError):
            while piece := await reader.read(PIECE_BYTES):
                brought += len(piece)
                writer.write(piece)
                await writer.drain()
                if self.breaks and brought >= self.breaks[0]:
                    self.breaks.popleft()
                    self.broken += 1
                    return


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    with suppress(ConnectionError):
        writer.close()
