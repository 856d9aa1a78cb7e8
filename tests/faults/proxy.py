"""A way to the object store that can be made to fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

PIECE_BYTES = 64 * 1024
_HEAD_END = b"\r\n\r\n"
_FAILURE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class StoreProxy:
    """Forwards connections byte by byte, except while told to fail, to hang or to be slow."""

    def __init__(self, target: str) -> None:
        address = urlsplit(target)
        self._target = (address.hostname, address.port)
        self._is_failing = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()
        #: What a request waits before it is forwarded; one without a large body, in all.
        self.delay_seconds = 0.0
        self.url = ""
        self.failures = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["StoreProxy"]:
        """Listen on a free port for the length of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.heal()
            self._cut()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def fail(self) -> None:
        """Cut what is open, and answer every request with 500 from now on."""
        self._is_failing = True
        self._cut()

    def hang(self) -> None:
        """Forward nothing, in neither direction, and accept connections all the same."""
        self._flows.clear()

    def heal(self) -> None:
        """Forward everything again."""
        self._is_failing = False
        self._flows.set()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._writers.add(writer)
        try:
            # A connection that is cut, by us or by a client, needs no more words.
            with suppress(OSError, asyncio.IncompleteReadError):
                if self._is_failing:
                    await self._refuse(reader, writer)
                else:
                    await self._forward(reader, writer)
        finally:
            self._connections.discard(task)
            self._writers.discard(writer)
            writer.close()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(_HEAD_END)
        headers = dict(
            line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line
        )
        # An answer before the end of the body would be lost with the connection.
        if b"100-continue" not in headers.get(b"expect", b""):
            await reader.readexactly(int(headers.get(b"content-length", b"0")))
        writer.write(_FAILURE)
        await writer.drain()
        self.failures += 1

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        store_reader, store_writer = await asyncio.open_connection(*self._target)
        self._writers.add(store_writer)
        try:
            await asyncio.gather(
                self._copy(reader, store_writer, is_request=True),
                self._copy(store_reader, writer, is_request=False),
            )
        finally:
            self._writers.discard(store_writer)
            store_writer.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_request: bool
    ) -> None:
        while piece := await reader.read(PIECE_BYTES):
            await self._flows.wait()
            if is_request and self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            writer.write(piece)
            await writer.drain()
        writer.close()


def behind(proxy: StoreProxy, url: str) -> str:
    """The URL of a server, whatever its protocol, by way of the proxy."""
    address, way = urlsplit(url), urlsplit(proxy.url)
    credentials = address.netloc.rpartition("@")[0]
    netloc = f"{credentials}@{way.netloc}" if credentials else way.netloc
    return urlunsplit(address._replace(netloc=netloc))
