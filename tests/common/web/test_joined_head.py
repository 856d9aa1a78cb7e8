"""How an answer goes out, as a client's reads see it."""

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from libs.common.web.joined_head import COPIED_BYTES
from tests.support.http_server import serving
from tests.support.polling import PATIENCE_SECONDS


async def first_read(url: str, path: str = "/") -> bytes:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: findme\r\n\r\n".encode())
    async with asyncio.timeout(PATIENCE_SECONDS):
        received = await reader.read(1 << 20)
    writer.close()
    return received


async def test_head_and_body_come_together() -> None:
    async with serving(Response("the body")) as url:
        received = await first_read(url)
    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b"the body")


async def test_a_stream_is_begun_before_there_is_anything_in_it() -> None:
    goes_on = asyncio.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await goes_on.wait()
        await send({"type": "http.response.body", "body": b"late"})

    async with serving(stream) as url:
        received = await first_read(url)
        goes_on.set()
    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b"\r\n\r\n")


async def test_a_large_body_follows_its_head() -> None:
    body = b"x" * (COPIED_BYTES + 1)

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"connection", b"close"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async with serving(large) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nHost: findme\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            received = await reader.read()
        writer.close()
    assert received.partition(b"\r\n\r\n")[2] == body
