"""A network between the watcher and the server that breaks."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from tests.support.polling import eventually

PIECE_BYTES = 64 * 1024


class BrokenNetwork:
    """Passes bytes on, and cuts connections in the middle of what they carry."""

    def __init__(self, target: str, rng: random.Random) -> None:
        address = urlsplit(target)
        self._target = (address.hostname, address.port)
        self._rng = rng
        self._is_up = True
        self._writers: set[asyncio.StreamWriter] = set()
        #: A connection is cut once it has carried so many bytes, on average; None for none.
        self.cut_after_bytes: int | None = None
        self.url = ""
        self.cuts = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["BrokenNetwork"]:
        """Listen on a free port for the length of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self.down()
            server.close()
            await server.wait_closed()

    def down(self) -> None:
        """Cut everything, and let nobody through."""
        self._is_up = False
        for writer in list(self._writers):
            self.cuts += 1
            writer.transport.abort()

    async def is_cut(self) -> None:
        """Wait for one more cut."""
        before = self.cuts
        await eventually(lambda: self.cuts > before)

    def up(self) -> None:
        """Let everybody through again."""
        self._is_up = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_up:
            writer.transport.abort()
            return
        left = None
        if self.cut_after_bytes is not None:
            left = round(self._rng.expovariate(1 / self.cut_after_bytes))
        with suppress(OSError):
            theirs, to_server = await asyncio.open_connection(*self._target)
            self._writers |= {writer, to_server}
            try:
                await asyncio.gather(
                    self._pass_on(reader, to_server, writer, left),
                    self._pass_on(theirs, writer, to_server, None),
                )
            finally:
                self._writers -= {writer, to_server}
                to_server.close()
        writer.close()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        left: int | None,
    ) -> None:
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece if left is None else piece[:left])
            await writer.drain()
            if left is not None:
                left -= len(piece)
                if left <= 0:
                    self.cuts += 1
                    writer.transport.abort()
                    back.transport.abort()
                    return
        writer.close()
