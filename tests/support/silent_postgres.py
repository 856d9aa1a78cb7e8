"""A way to PostgreSQL on which nobody answers any more, and no connection is ever closed."""

import asyncio
import ctypes
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self

from sqlalchemy.engine import make_url

from libs.common import tasks
from tests.support.services import free_port

PIECE_BYTES = 65536
#: Source: asm-generic/socket.h of Linux; Python does not name them.
_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27


class _Way:
    """One connection; each of its directions flows or holds what comes."""

    def __init__(self, own: socket.socket) -> None:
        self.own = own
        self.requests = asyncio.Event()
        self.replies = asyncio.Event()
        self.is_lost = False

    def flow(self) -> None:
        if not self.is_lost:
            self.requests.set()
            self.replies.set()


class SilentPostgres:
    """Passes on what comes over TCP until it is told to be silent.

    The kernels of both ends see a healthy connection meanwhile, as they do behind a proxy; and
    the server is never told that a client has gone, as in a hole of the network.
    """

    def __init__(self, database_url: str) -> None:
        self._behind = make_url(database_url)
        self._port = free_port()
        self._ways: set[_Way] = set()
        self._loses_replies = False
        self._is_dark = False
        self._listening: list[socket.socket] = []
        self._last_words: bytes | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.url = self._behind.set(host="127.0.0.1", port=self._port, query={}).render_as_string(
            hide_password=False
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Listen for the length of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._listening = list(server.sockets)
        try:
            yield self
        finally:
            server.close()
            await tasks.end(*self._connections)

    def silence(self) -> int:
        """Make the connections of now silent for ever, and go on taking new ones; say how many."""
        for way in self._ways:
            way.is_lost = True
            way.requests.clear()
            way.replies.clear()
        return len(self._ways)

    def go_dark(self) -> None:
        """Let nothing through in either direction, new connections included, until `heal`."""
        self._is_dark = True
        for way in self._ways:
            way.requests.clear()
            way.replies.clear()

    def lose_replies(self) -> None:
        """Let requests through and nothing back, on new connections too, until `heal`."""
        self._loses_replies = True
        for way in self._ways:
            way.replies.clear()

    def lose_replies_from(self, statement: bytes) -> None:
        """The same, from a statement that contains this on; PostgreSQL still hears it."""
        self._last_words = statement

    @property
    def loses_replies(self) -> bool:
        """Whether it does by now; after `lose_replies_from`, whether it has heard the statement."""
        return self._loses_replies

    def swallow_packets(self) -> None:
        """A hole for the clients' kernels too: nothing of theirs is acknowledged, until `heal`."""
        for own in self._sockets():
            _drop_all(own)

    def heal(self) -> None:
        """Let pass what was held, but for the connections that are silent for ever."""
        self._loses_replies = self._is_dark = False
        self._last_words = None
        for own in self._sockets():
            with suppress(OSError):  # it has no filter
                own.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
        for way in self._ways:
            way.flow()

    def _sockets(self) -> list[socket.socket]:
        return [*self._listening, *(way.own for way in self._ways)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        way = _Way(writer.get_extra_info("socket"))
        way.flow()
        if self._loses_replies or self._is_dark:
            way.replies.clear()
        if self._is_dark:
            way.requests.clear()
        self._ways.add(way)
        try:
            # The end of the block is no error of a connection's.
            with suppress(asyncio.CancelledError):
                await self._pass_on(reader, writer, way)
        finally:
            self._ways.discard(way)
            self._connections.discard(task)
            writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: _Way
    ) -> None:
        theirs, to_server = await self._connect()
        try:
            await asyncio.gather(
                _copy(reader, to_server, way.requests, self._overhear),
                _copy(theirs, writer, way.replies),
            )
        finally:
            to_server.close()

    def _overhear(self, piece: bytes) -> None:
        if self._last_words is not None and self._last_words in piece:
            self.lose_replies()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        folder = self._behind.query.get("host")
        if isinstance(folder, str):
            port = self._behind.query.get("port") or 5432
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        return await asyncio.open_connection(self._behind.host, self._behind.port or 5432)


def _drop_all(own: socket.socket) -> None:
    """Have the kernel drop each packet before the socket sees it, by a filter of one `return 0`."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    filter_ = struct.pack("HL", 1, ctypes.addressof(program))
    own.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)


async def _copy(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    flows: asyncio.Event,
    overhear: Callable[[bytes], None] = lambda _: None,
) -> None:
    with suppress(OSError):
        while piece := await reader.read(PIECE_BYTES):
            overhear(piece)
            await flows.wait()
            writer.write(piece)
            await writer.drain()
    # The end of a silent connection is not heard of either.
    await flows.wait()
    writer.close()
