"""Answers that are at hand, as our server writes them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send

from libs.common.web.at_once import WrittenAnswer
from tests.support.http_server import server_of, url_of
from tests.support.polling import PATIENCE_SECONDS, eventually

LARGE = 8 * 1024 * 1024


class App:
    """Has at hand what is asked for under /ready; says by ASGI which path was asked for."""

    def __init__(self) -> None:
        self.by_asgi: list[str] = []

    def at_once(self, scope: Scope) -> WrittenAnswer | None:
        path: str = scope["path"]
        if scope["method"] != "GET" or not path.startswith("/ready"):
            return None
        body = b"x" * LARGE if path == "/ready/large" else path.encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n" % len(body)
        return WrittenAnswer(head, body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.by_asgi.append(scope["path"])
        body = b"asgi " + scope["path"].encode()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def ask(self, *paths: str, fields: str = "", version: str = "1.1", method: str = "GET") -> None:
        requests = [f"{method} {path} HTTP/{version}\r\nHost: a\r\n{fields}\r\n" for path in paths]
        self.writer.write("".join(requests).encode())

    async def answer(self) -> tuple[list[str], bytes]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            (length,) = [line.partition(": ")[2] for line in head if "content-length" in line]
            return head, await self.reader.readexactly(int(length))

    async def is_closed(self) -> bool:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.read() == b""


@asynccontextmanager
async def asking(app: App) -> AsyncIterator[Client]:
    async with server_of(app, send_buffer_bytes=64 * 1024) as server:
        # As its loop says it, which does not run here.
        server.server_state.default_headers = [(b"date", b"today")]
        host, _, port = url_of(server).removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield Client(reader, writer)
        finally:
            writer.close()


async def test_what_is_at_hand_is_written_with_what_the_connection_says() -> None:
    app = App()
    async with asking(app) as client:
        for number in range(3):
            client.ask(f"/ready/{number}")
            head, body = await client.answer()
            assert head[0] == "http/1.1 200 ok"
            assert head[-3:] == ["date: today", "", ""]
            assert body == f"/ready/{number}".encode()
            client.ask("/else")
            assert (await client.answer())[1] == b"asgi /else"
    assert app.by_asgi == ["/else"] * 3


async def test_requests_that_come_together_are_answered_in_their_order() -> None:
    app = App()
    paths = [f"/{'ready' if number % 3 else 'else'}/{number}" for number in range(3000)]
    async with asking(app) as client:
        client.ask(*paths)
        answered = [(await client.answer())[1] for _ in paths]
    assert [body.decode().removeprefix("asgi ") for body in answered] == paths
    # Nobody has the loop for himself: those behind the first have tasks, and wait for their turn.
    assert any(path.startswith("/ready") for path in app.by_asgi)


async def test_a_client_that_takes_nothing_is_waited_for() -> None:
    app = App()
    async with asking(app) as client:
        client.ask("/ready/large")
        await client.reader.readuntil(b"\r\n\r\n")
        client.ask("/ready/small")
        # It is not written behind what is not taken yet, whatever that takes of the memory.
        await eventually(lambda: app.by_asgi == ["/ready/small"])
        await client.reader.readexactly(LARGE)
        assert (await client.answer())[1] == b"asgi /ready/small"


@pytest.mark.parametrize(("fields", "version"), [("Connection: close\r\n", "1.1"), ("", "1.0")])
async def test_a_connection_that_is_not_kept_is_closed_behind_the_answer(
    fields: str, version: str
) -> None:
    async with asking(App()) as client:
        client.ask("/ready/large", fields=fields, version=version)
        head, body = await client.answer()
        assert "connection: close" in head
        assert len(body) == LARGE
        assert await client.is_closed()


async def test_a_body_that_nobody_asked_for_is_not_the_next_request() -> None:
    async with asking(App()) as client:
        client.ask("/ready/1", fields="Content-Length: 5\r\n")
        assert (await client.answer())[1] == b"/ready/1"
        client.writer.write(b"GET /")
        client.ask("/ready/2")
        assert (await client.answer())[1] == b"/ready/2"


async def test_who_waits_to_be_asked_for_a_body_is_answered_by_asgi() -> None:
    app = App()
    async with asking(app) as client:
        client.ask("/ready/1", fields="Content-Length: 5\r\nExpect: 100-continue\r\n")
        assert (await client.answer())[1] == b"asgi /ready/1"
