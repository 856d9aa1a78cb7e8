"""Requests that are too large, too slow or too many, as bytes on real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI, Request
from prometheus_client import REGISTRY
from pydantic import BaseModel

from libs.common.web.body_limit import MAX_BODY_BYTES, BodyLimit
from libs.common.web.connection_bounds import ConnectionBounds
from libs.common.web.http_protocol import MAX_HEAD_BYTES, MAX_HEADER_FIELDS, HttpProtocol
from tests.support.http_server import server_of, url_of
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.slow_clients import SlowClient, clients_of

GET = b"GET /hello HTTP/1.1\r\nHost: findme\r\n"
HELLO = b'"hello"'


class Wish(BaseModel):
    text: str


def application(*, body_seconds: float = 30) -> FastAPI:
    app = FastAPI()
    app.add_middleware(BodyLimit, seconds=body_seconds)

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    @app.post("/wish")
    async def wish(wish: Wish) -> int:
        return len(wish.text)

    @app.post("/trailers")
    async def trailers(request: Request) -> list[str]:
        await request.body()
        return sorted(request.headers.keys())

    return app


@asynccontextmanager
async def connected(
    count: int = 1, app: FastAPI | None = None, **limits: object
) -> AsyncIterator[tuple[uvicorn.Server, list[SlowClient]]]:
    async with (
        server_of(app or application(), **limits) as server,  # type: ignore[arg-type]
        clients_of(url_of(server), count) as clients,
    ):
        yield server, clients


async def everything(client: SlowClient) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await client.read_to_the_end()


async def begin_of(client: SlowClient) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await client.read(4096)


async def body_of(client: SlowClient) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await client.read_body()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def cut_off(how: str) -> float:
    return counted("findme_clients_cut_off_total", client=how)


async def flood(client: SlowClient, head: bytes, piece: bytes, pieces: int) -> None:
    """Send until the server hangs up."""
    try:
        await client.send(head)
        for _ in range(pieces):
            await client.send(piece)
    except ConnectionError:
        pass


ENDLESS = {
    "a field": (GET + b"X: ", b"x" * 65536),
    "a field's name": (GET, b"x" * 65536),
    "fields": (GET, b"X: y\r\n" * 10_000),
    "an address": (b"GET /", b"x" * 65536),
    "a trailer": (
        b"POST /wish HTTP/1.1\r\nHost: findme\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        b"x" * 65536,
    ),
    "a chunk's extension": (
        b"POST /wish HTTP/1.1\r\nHost: findme\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"x" * 65536,
    ),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_80_megabytes_of_a_head_hold_up_nobody(what: str) -> None:
    head, piece = ENDLESS[what]
    async with connected(2) as (_, (attacker, guest)):
        attack = asyncio.create_task(flood(attacker, head, piece, 1280))
        slowest = 0.0
        while not attack.done():
            # What the machine does beside this process does not count.
            began = time.process_time()
            await guest.send(GET + b"\r\n")
            assert await body_of(guest) == HELLO
            slowest = max(slowest, time.process_time() - began)
            await asyncio.sleep(0)
        await attack
        # Without the bound it is tens of seconds.
        assert slowest < 3.0


async def test_a_head_that_is_too_large_is_told_so() -> None:
    before = cut_off("sent_too_much")
    async with connected() as (server, (client,)):
        await client.send(GET + b"X: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n")
        answer = await everything(client)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b'{"detail":' in answer
        assert cut_off("sent_too_much") == before + 1
        await eventually(lambda: not server.server_state.connections)


async def test_too_many_fields_are_refused_and_as_many_as_proxies_send_are_not() -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, failure: failures.append(failure))
    async with connected(2) as (_, (few, many)):
        await few.send(GET + b"X: y\r\n" * (MAX_HEADER_FIELDS - 1) + b"\r\n")
        assert await body_of(few) == HELLO
        await many.send(GET + b"X: y\r\n" * MAX_HEADER_FIELDS + b"\r\n")
        assert (await everything(many)).startswith(b"HTTP/1.1 431 ")
    assert failures == []


async def test_what_a_browser_may_send_is_taken_and_the_connection_goes_on() -> None:
    async with connected() as (_, (client,)):
        for _ in range(3):
            await client.send(GET + b"Cookie: a=" + b"x" * 32_000 + b"\r\n\r\n")
            assert await body_of(client) == HELLO


async def test_trailers_add_nothing_to_the_head() -> None:
    async with connected() as (_, (client,)):
        await client.send(
            b"POST /trailers HTTP/1.1\r\nHost: findme\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nab\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
        )
        assert await body_of(client) == b'["host","transfer-encoding"]'


SLOW_HEADS = [b"", b"GET /hello HTTP/1.1\r\nHost: fin", GET + b"\r\n" + GET]


@pytest.mark.parametrize("sent", SLOW_HEADS, ids=["nothing", "half", "half after an answer"])
async def test_a_head_that_comes_byte_by_byte_is_given_up_in_time(sent: bytes) -> None:
    before = cut_off("sent_no_head")
    async with connected(3, head_seconds=0.5) as (server, clients):

        async def drip(client: SlowClient) -> None:
            await client.send(sent)
            while server.server_state.connections:
                try:
                    await client.send(b"x" if sent else b"")
                except ConnectionError:
                    return
                await asyncio.sleep(0.05)

        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*map(drip, clients))
        assert cut_off("sent_no_head") == before + 3


async def test_who_waits_between_two_requests_is_not_taken_for_slow() -> None:
    async with connected(1) as (server, (client,)):
        for _ in range(2):
            await client.send(GET + b"\r\n")
            assert await body_of(client) == HELLO
            [connection] = server.server_state.connections
            assert isinstance(connection, HttpProtocol)
            assert connection._head_timer is None


POST = b"POST /wish HTTP/1.1\r\nHost: findme\r\nContent-Type: application/json\r\n"


async def test_a_json_body_that_comes_byte_by_byte_is_given_up_in_time() -> None:
    async with connected(1, application(body_seconds=0.3)) as (_, (client,)):
        await client.send(POST + b"Content-Length: 1000\r\n\r\n")
        received = asyncio.create_task(everything(client))
        while not received.done():
            try:
                await client.send(b" ")
            except ConnectionError:
                break
            await asyncio.sleep(0.02)
        answer = await received
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_json_body_is_bounded_also_when_it_does_not_say_its_length(chunked: bool) -> None:
    body = b'{"text": "' + b"x" * MAX_BODY_BYTES + b'"}'
    async with connected() as (_, (client,)):
        if chunked:
            head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
            await flood(client, head + b"%x\r\n" % len(body), body, 1)
        else:
            await flood(client, POST + b"Content-Length: %d\r\n\r\n" % len(body), b"", 1)
        assert (await begin_of(client)).startswith(b"HTTP/1.1 413 ")


async def test_what_is_sent_after_the_answer_keeps_no_connection() -> None:
    """The watch is told of a body's bytes only while somebody reads them."""
    async with connected(1, keep_alive_seconds=1) as (server, (client,)):
        await client.send(POST + b"Content-Length: 100000000\r\n\r\n")
        assert (await begin_of(client)).startswith(b"HTTP/1.1 413 ")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while server.server_state.connections:
                try:
                    await client.send(b"x")
                except ConnectionError:
                    break
                await asyncio.sleep(0.05)


async def test_one_connection_too_many_is_refused_and_room_is_made_by_those_that_end() -> None:
    bounds = ConnectionBounds(in_all=3, per_address=10, proxies="127.0.0.1")
    before = counted("findme_connections_refused_total", bound="in_all")
    async with connected(3, bounds=bounds) as (server, clients):
        for client in clients:
            await client.send(GET + b"\r\n")
            assert await body_of(client) == HELLO
        async with clients_of(url_of(server), 1) as (late,):
            answer = await everything(late)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: " in answer
        assert counted("findme_connections_refused_total", bound="in_all") == before + 1
        clients[0].close()

        async def is_let_in() -> bool:
            async with clients_of(url_of(server), 1) as (late,):
                try:
                    await late.send(GET + b"\r\n")
                except ConnectionError:
                    return False
                return await body_of(late) == HELLO

        await eventually(is_let_in)


def client(host: str) -> tuple[str, int]:
    return host, 40_000


def test_one_address_cannot_take_all_places_and_a_believed_proxy_may() -> None:
    bounds = ConnectionBounds(in_all=100, per_address=2, proxies="127.0.0.1,10.0.0.0/8")
    assert [bounds.admit(client("192.0.2.1")) for _ in range(3)] == [True, True, False]
    assert bounds.admit(client("192.0.2.2"))
    assert all(bounds.admit(client("10.1.2.3")) for _ in range(10))
    assert all(bounds.admit(None) for _ in range(10))
    bounds.release(client("192.0.2.1"))
    assert bounds.admit(client("192.0.2.1"))


def test_the_addresses_of_one_ipv6_network_are_one() -> None:
    bounds = ConnectionBounds(in_all=100, per_address=2, proxies="::1")
    assert bounds.admit(client("2001:db8::1"))
    assert bounds.admit(client("2001:db8::ffff:1"))
    assert not bounds.admit(client("2001:db8::2"))
    assert bounds.admit(client("2001:db8:0:1::2"))
    assert bounds.admit(client("::ffff:192.0.2.1"))
    assert bounds.admit(client("192.0.2.1"))
    assert not bounds.admit(client("192.0.2.1"))


def test_who_believes_everybody_counts_nobody_by_address() -> None:
    bounds = ConnectionBounds(in_all=100, per_address=1, proxies="*")
    assert all(bounds.admit(client("192.0.2.1")) for _ in range(100))
    assert not bounds.admit(client("192.0.2.1"))
