"""Pieces of an answer that its task does not send, as clients receive them."""

import asyncio

from starlette.types import Receive, Scope, Send

from libs.common.web.piece_writing import EXTENSION, Piece, PieceWriter
from tests.support.http_server import server_of, serving, url_of
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.slow_clients import clients_of


class Streaming:
    """An answer that is written to from outside; what is written is told beside it."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.ends = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.writer: PieceWriter | None = None
        self.before_the_head: bool | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writer: PieceWriter = scope["extensions"][EXTENSION]
        self.writer = writer
        self.before_the_head = writer.write([Piece(b"too early")])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"sent ", "more_body": True})
        self.has_begun.set()
        await self.ends.wait()
        await send({"type": "http.response.body", "body": b"end"})
        self.has_ended.set()

    def write(self, *contents: bytes) -> bool:
        assert self.writer is not None
        return self.writer.write([Piece(content) for content in contents])


async def test_a_piece_comes_between_what_the_task_sends() -> None:
    app = Streaming()
    async with asyncio.timeout(PATIENCE_SECONDS), server_of(app) as server:
        host, _, port = url_of(server).removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nHost: findme\r\nConnection: close\r\n\r\n")
        await app.has_begun.wait()
        assert app.write(b"written ")
        assert app.write(b"both ", b"together ")
        app.ends.set()
        received = await reader.read()
        writer.close()
        together = b"5\r\nboth \r\n9\r\ntogether \r\n"
        body = b"5\r\nsent \r\n8\r\nwritten \r\n" + together + b"3\r\nend\r\n0\r\n\r\n"
        assert received.partition(b"\r\n\r\n")[2] == body
        assert app.before_the_head is False
        await app.has_ended.wait()
        assert not app.write(b"too late")


async def test_nothing_is_written_to_who_has_not_taken_what_was() -> None:
    app = Streaming()
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        server_of(app, send_buffer_bytes=4096) as server,
        clients_of(url_of(server), 1) as (client,),
    ):
        await client.get("/")
        await app.has_begun.wait()
        written = 0  # pieces
        while app.write(bytes(1000)):
            written += 1
        received = b""
        while len(received) < 1000 * written:
            received += await client.read(65536)
        # What waited in the process goes out by itself: then there is room again.
        await eventually(lambda: app.write(b"again"))
        app.ends.set()


async def test_nothing_is_written_to_who_has_gone() -> None:
    app = Streaming()
    async with asyncio.timeout(PATIENCE_SECONDS), serving(app) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nHost: findme\r\n\r\n")
        await app.has_begun.wait()
        writer.transport.abort()
        await eventually(lambda: not app.write(b"?"))
        app.ends.set()
