"""Requests that offer to upgrade, as raw bytes on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect

from tests.support.http_server import server_of, serving, url_of
from tests.support.own_process import own_process
from tests.support.polling import PATIENCE_SECONDS, eventually

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
BODY = b'{"username": "ann"}'


class Client:
    """Writes bytes as they are told, and reads whole answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, *packets: bytes) -> None:
        for packet in packets:
            self._writer.write(packet)
            await self._writer.drain()
            # So that the server reads them apart from each other.
            await asyncio.sleep(0.02)

    async def answer(self) -> tuple[int, bytes]:
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        lines = head.decode().lower().splitlines()
        (length,) = [line.split(":")[1] for line in lines if line.startswith("content-length")]
        return int(lines[0].split()[1]), await self._reader.readexactly(int(length))

    async def is_closed(self) -> bool:
        return await asyncio.wait_for(self._reader.read(), PATIENCE_SECONDS) == b""


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request) -> list[str]:
        offers = [request.headers.get("upgrade", ""), request.headers.get("connection", "")]
        return [(await request.body()).decode(), *offers, request.url.query]

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    async with serving(app) as url:
        where = urlsplit(url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        yield Client(reader, writer)
        writer.close()
        await writer.wait_closed()


def post(*headers: bytes, query: bytes = b"") -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST /echo" + query + b" HTTP/1.1\r\nHost: findme\r\n" + H2C + lines + b"\r\n"


LENGTH = b"Content-Length: %d" % len(BODY)
ECHO = (200, b'["{\\"username\\": \\"ann\\"}","","HTTP2-Settings",""]')


async def test_a_body_in_the_same_packet_arrives(client: Client) -> None:
    await client.send(post(LENGTH) + BODY)
    assert await client.answer() == ECHO


async def test_a_body_in_later_packets_arrives(client: Client) -> None:
    await client.send(post(LENGTH), BODY[:5], BODY[5:])
    assert await client.answer() == ECHO


async def test_a_head_and_a_body_that_come_byte_by_byte_arrive(client: Client) -> None:
    whole = post(LENGTH) + BODY
    await client.send(*(whole[at : at + 7] for at in range(0, len(whole), 7)))
    assert await client.answer() == ECHO


async def test_offers_in_several_header_lines_are_one_offer(client: Client) -> None:
    """Read apart, the last line hides the offer, and the body is taken for the next request."""
    await client.send(post(b"Connection: keep-alive", LENGTH), BODY)
    assert await client.answer() == ECHO


async def test_a_chunked_body_arrives(client: Client) -> None:
    chunks = b"5\r\n" + BODY[:5] + b"\r\n", b"%x\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\n\r\n"
    await client.send(post(b"Transfer-Encoding: chunked") + chunks[0], chunks[1])
    assert await client.answer() == ECHO


async def test_a_body_that_waits_to_be_asked_for_arrives(client: Client) -> None:
    await client.send(post(LENGTH, b"Expect: 100-continue"))
    assert (await client._reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    await client.send(BODY)
    assert await client.answer() == ECHO


async def test_the_address_stays_as_it_was(client: Client) -> None:
    await client.send(post(LENGTH, query=b"?a=%20b&c=d") + BODY)
    status, body = await client.answer()
    assert status == 200
    assert body.endswith(b'"a=%20b&c=d"]')


async def test_the_connection_is_kept_for_the_next_requests(client: Client) -> None:
    for _ in range(2):
        await client.send(post(LENGTH) + BODY)
        assert await client.answer() == ECHO
        await client.send(b"GET /hello HTTP/1.1\r\nHost: findme\r\n\r\n")
        assert await client.answer() == (200, b'"hello"')


async def test_requests_that_come_all_at_once_are_answered_one_after_the_other(
    client: Client,
) -> None:
    hello = b"GET /hello HTTP/1.1\r\nHost: findme\r\n" + H2C + b"\r\n"
    await client.send((post(LENGTH) + BODY + hello) * 100)
    for _ in range(100):
        assert await client.answer() == ECHO
        assert await client.answer() == (200, b'"hello"')


async def test_a_client_that_wants_the_connection_closed_gets_that(client: Client) -> None:
    offer = H2C.replace(b"Upgrade,", b"Upgrade, close,")
    await client.send(b"GET /hello HTTP/1.1\r\nHost: findme\r\n" + offer + b"\r\n")
    assert await client.answer() == (200, b'"hello"')
    assert await client.is_closed()


async def test_who_wants_a_websocket_is_told_that_there_is_none(client: Client) -> None:
    await client.send(
        b"GET /socket HTTP/1.1\r\nHost: findme\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert await client.answer() == (404, b'{"detail":"Not Found"}')
    await client.send(b"GET /hello HTTP/1.1\r\nHost: findme\r\n\r\n")
    assert await client.answer() == (200, b'"hello"')


async def test_what_is_no_http_is_refused(client: Client) -> None:
    await client.send(b"good morning\r\n\r\n")
    assert (await client.answer())[0] == 400
    assert await client.is_closed()


async def test_a_curl_that_offers_http_2_logs_in(client: Client) -> None:
    host, port = client._writer.get_extra_info("peername")
    async with own_process(
        "curl", "-sS", "--http2", "--max-time", f"{PATIENCE_SECONDS:g}", "-d", BODY.decode(),
        f"http://{host}:{port}/echo", stdout=asyncio.subprocess.PIPE,
    ) as curl:  # fmt: skip
        said, _ = await curl.communicate()
    assert said == ECHO[1]


@pytest.mark.parametrize(
    ("method", "sent", "read"),
    [("PATCH", 1000, 1000), ("PATCH", 2000, 2000), ("POST", 1000, 0)],
)
async def test_of_a_patch_that_breaks_off_is_read_what_came(
    method: str, sent: int, read: int
) -> None:
    """Its client may go on from there; other methods' bodies are nothing without their end."""
    app = FastAPI()
    asked, is_gone, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    received = bytearray()

    @app.api_route("/upload", methods=["PATCH", "POST"])
    async def upload(request: Request) -> None:
        asked.set()
        await is_gone.wait()
        with suppress(ClientDisconnect):
            async for piece in request.stream():
                received.extend(piece)
        ended.set()

    async with server_of(app) as server:
        where = urlsplit(url_of(server))
        _, writer = await asyncio.open_connection(where.hostname, where.port)
        head = f"{method} /upload HTTP/1.1\r\nHost: findme\r\nContent-Length: 2000\r\n\r\n"
        writer.write(head.encode() + bytes(sent))
        await writer.drain()
        await asked.wait()
        writer.close()
        await writer.wait_closed()
        await eventually(lambda: not server.server_state.connections)
        is_gone.set()
        await ended.wait()
    assert len(received) == read


async def test_of_a_large_body_nothing_is_read_before_it_is_asked_for() -> None:
    """Hundreds that wait for their turn held a piece of it each."""
    goes_on = asyncio.Event()
    app = FastAPI()

    @app.put("/large")
    async def large(request: Request) -> int:
        await goes_on.wait()
        return sum([len(piece) async for piece in request.stream()])

    # More than the system holds of it.
    body = bytes(32_000_000)
    async with server_of(app) as server:
        where = urlsplit(url_of(server))
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        client = Client(reader, writer)
        writer.write(b"PUT /large HTTP/1.1\r\nHost: findme\r\nContent-Length: 32000000\r\n\r\n")
        await eventually(lambda: _held(server) is not None)
        writer.write(body)
        # The system has some of it; what it has not, waits on the client's side.
        await eventually(lambda: writer.transport.get_write_buffer_size() > 0)
        assert _held(server) == 0
        goes_on.set()
        assert await client.answer() == (200, b"32000000")
        writer.close()


def _held(server: uvicorn.Server) -> int | None:
    """Return the bytes of a body that nobody has asked for yet; None before there is a request."""
    for connection in server.server_state.connections:
        if (cycle := getattr(connection, "cycle", None)) is not None:
            return len(cycle.body)
    return None
