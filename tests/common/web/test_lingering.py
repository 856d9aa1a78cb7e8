"""A client reads its answer, also one that was there before all of its request was sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI, HTTPException

from libs.common.web.lingering import LINGER_SECONDS
from tests.support.http_server import server_of, serving, url_of
from tests.support.polling import PATIENCE_SECONDS, eventually

PIECE = b"x" * 64_000
#: More than the buffers of both sides take.
MANY = 200 * len(PIECE)


def application() -> FastAPI:
    app = FastAPI()

    @app.post("/fails")
    async def fails() -> None:
        raise RuntimeError("a surprise")

    @app.post("/refuses")
    async def refuses() -> None:
        raise HTTPException(408, "Too slow.", headers={"Connection": "close"})

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    return app


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serving(application()) as url:
        yield url


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    where = urlsplit(url)
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def send_all(writer: asyncio.StreamWriter, size: int) -> None:
    """As clients do that read only when they have sent everything."""
    for _ in range(0, size, len(PIECE)):
        writer.write(PIECE)
        await writer.drain()


async def status(reader: asyncio.StreamReader) -> tuple[int, str]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    [length] = [line for line in head.splitlines() if line.startswith("content-length")]
    await reader.readexactly(int(length.split(":")[1]))
    return int(head.split()[1]), head


def head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: findme", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("request_head", "expected"),
    [
        (head("POST", "/refuses", f"Content-Length: {MANY}"), 408),
        (head("POST", "/fails", f"Content-Length: {MANY}", "Connection: close"), 500),
        (head("POST", "/nothing", f"Content-Length: {MANY}").replace(b"1.1", b"1.0"), 404),
        (b"no request\r\n\r\n", 400),
    ],
    ids=["it says that it ends", "the client says so", "HTTP/1.0", "no HTTP"],
)
async def test_who_sends_all_before_reading_reads_the_answer_to_its_beginning(
    url: str, request_head: bytes, expected: int
) -> None:
    async with connected(url) as (reader, writer):
        writer.write(request_head)
        # It is answered, and on its way to the end, before the rest comes.
        await eventually(lambda: reader._buffer)  # type: ignore[attr-defined]
        await send_all(writer, MANY)
        found, told = await status(reader)
        assert (found, "connection: close" in told) == (expected, True)
        assert await reader.read() == b""


async def test_after_a_surprise_the_connection_goes_on_as_its_answer_says(url: str) -> None:
    async with connected(url) as (reader, writer):
        for _ in range(2):
            writer.write(head("POST", "/fails", f"Content-Length: {MANY}"))
            await eventually(lambda: reader._buffer)  # type: ignore[attr-defined]
            await send_all(writer, MANY)
            found, told = await status(reader)
            assert (found, "connection: close" in told) == (500, False)
        writer.write(head("GET", "/hello"))
        assert (await status(reader))[0] == 200


async def test_what_is_sent_behind_the_last_answer_is_no_request(url: str) -> None:
    async with connected(url) as (reader, writer):
        writer.write(head("POST", "/refuses", "Content-Length: 5"))
        assert (await status(reader))[0] == 408
        writer.write(b"12345" + head("GET", "/hello"))
        assert await reader.read() == b""


@pytest.mark.parametrize(
    "request_head",
    [head("POST", "/refuses", "Transfer-Encoding: chunked"), b"no request\r\n\r\n"],
    ids=["a request", "no HTTP"],
)
async def test_nobody_is_waited_for_without_end(request_head: bytes) -> None:
    async with (
        server_of(application(), linger_seconds=0.2) as server,
        connected(url_of(server)) as (reader, writer),
    ):
        writer.write(request_head)
        assert (await status(reader))[0] >= 400
        # Neither ends nor sends: half of it is open until the server's patience ends.
        await eventually(lambda: not server.server_state.connections)


async def test_a_server_that_stops_waits_for_nobody_who_is_still_sending() -> None:
    is_asked, may_answer = asyncio.Event(), asyncio.Event()
    app = FastAPI()

    @app.post("/late")
    async def late() -> None:
        is_asked.set()
        await may_answer.wait()

    async with (
        server_of(app, linger_seconds=10 * PATIENCE_SECONDS) as server,
        connected(url_of(server)) as (_, writer),
    ):
        writer.write(head("POST", "/late", f"Content-Length: {MANY}"))
        await is_asked.wait()
        [connection] = server.server_state.connections
        connection.shutdown()  # what the server does with each
        may_answer.set()
        await eventually(lambda: not server.server_state.connections)


async def test_a_body_that_breaks_the_rules_behind_the_answer_ends_the_connection(
    url: str,
) -> None:
    async with connected(url) as (reader, writer):
        writer.write(head("POST", "/refuses", "Transfer-Encoding: chunked"))
        assert (await status(reader))[0] == 408
        writer.write(b"no chunk\r\n")
        with pytest.raises(ConnectionError):
            await send_all(writer, 100 * MANY)


def test_a_phone_has_the_time_to_send_a_photo() -> None:
    assert LINGER_SECONDS * 1_000_000 > 20_000_000
