"""Clients that stop, on real sockets; the watch's clock is the test's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from fastapi import FastAPI, Request, Response
from prometheus_client import REGISTRY

from libs.common.web.http_protocol import HttpProtocol
from libs.common.web.stalled import StallWatch
from tests.support.http_server import server_of, url_of
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.slow_clients import SlowClient, clients_of

STALL, SILENCE = 30.0, 75.0
LARGE = b"x" * 16_000_000


class Handle:
    def __init__(self, look: Callable[[], None], due: float) -> None:
        self.look, self.due = look, due
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """A loop's clock and timers, which go when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self._handles: list[Handle] = []

    def call_later(self, seconds: float, look: Callable[[], None]) -> Handle:
        self._handles.append(Handle(look, self.now + seconds))
        return self._handles[-1]

    def go_to_next_look(self) -> None:
        (handle,) = [handle for handle in self._handles if not handle.cancelled]
        self._handles = []
        self.now = handle.due
        handle.look()

    @property
    def is_stopped(self) -> bool:
        return all(handle.cancelled for handle in self._handles)


class Watched(asyncio.Protocol):
    """The server's side of one connection, under watch."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.awaits_client = False
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.watch = StallWatch(
            transport,
            self.clock,  # type: ignore[arg-type]  # all that is used of a loop
            waiting_bytes=transport.get_write_buffer_size,
            awaits_client=lambda: self.awaits_client,
            stall_seconds=STALL,
            silence_seconds=SILENCE,
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.watch.end()
        self.is_lost = True

    async def look_until(self, seconds: float) -> None:
        while self.clock.now < seconds and not self.clock.is_stopped:
            self.clock.go_to_next_look()
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def connection() -> AsyncIterator[tuple[Watched, SlowClient]]:
    made: list[Watched] = []

    def make() -> Watched:
        made.append(Watched())
        return made[-1]

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with clients_of(f"http://127.0.0.1:{port}", 1) as (client,):
            await eventually(lambda: made)
            yield made[0], client
            made[0].transport.abort()


@pytest.fixture
async def watched() -> AsyncIterator[tuple[Watched, SlowClient]]:
    async with connection() as both:
        yield both


def cut_off(how: str) -> float:
    return REGISTRY.get_sample_value("findme_clients_cut_off_total", {"client": how}) or 0


async def test_who_takes_nothing_is_cut_off_and_not_before_the_time(
    watched: tuple[Watched, SlowClient],
) -> None:
    server, _ = watched
    before = cut_off("took_nothing")
    server.transport.write(LARGE)
    # What the system's buffers take at first is progress.
    await server.look_until(STALL)
    assert not server.clock.is_stopped
    await server.look_until(2 * STALL)
    await eventually(lambda: server.is_lost)
    assert cut_off("took_nothing") == before + 1


async def test_who_takes_a_little_each_time_is_not_cut_off(
    watched: tuple[Watched, SlowClient],
) -> None:
    """The server's own buffer does not shrink meanwhile: the system's takes nothing yet."""
    server, client = watched
    server.transport.write(LARGE)
    taken = 0
    for _ in range(20):
        # More than the window, so that some of it was acknowledged anew.
        for _ in range(8):
            taken += len(await client.read(2048))
        await server.look_until(server.clock.now + 0.8 * STALL)
    assert taken < 1_000_000
    assert server.transport.get_write_buffer_size() > 0
    assert not server.is_lost


async def test_who_never_takes_the_rest_does_not_keep_the_closed_connection(
    watched: tuple[Watched, SlowClient],
) -> None:
    server, _ = watched
    server.transport.write(LARGE)
    server.transport.close()
    await server.look_until(3 * STALL)
    await eventually(lambda: server.is_lost)


async def test_who_has_nothing_to_take_is_let_alone(watched: tuple[Watched, SlowClient]) -> None:
    server, client = watched
    server.transport.write(b"ping")
    assert await client.read(10) == b"ping"
    await server.look_until(100 * STALL)
    assert not server.is_lost


async def test_who_sends_nothing_of_what_is_waited_for_is_cut_off(
    watched: tuple[Watched, SlowClient],
) -> None:
    server, _ = watched
    before = cut_off("sent_nothing")
    server.awaits_client = True
    for _ in range(5):
        await server.look_until(server.clock.now + 0.8 * SILENCE)
        server.watch.heard()
    assert not server.clock.is_stopped
    await server.look_until(server.clock.now + 2 * SILENCE)
    await eventually(lambda: server.is_lost)
    assert cut_off("sent_nothing") == before + 1


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/large")
    async def large() -> Response:
        return Response(LARGE)

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    return app


async def test_answers_that_nobody_takes_hold_no_connection() -> None:
    """They are sent at once and whole: no send of theirs ever waits."""
    async with (
        server_of(application(), stall_seconds=0.2) as server,
        clients_of(url_of(server), 5) as clients,
    ):
        before = cut_off("took_nothing")
        for client in clients:
            await client.get("/large")
        await eventually(lambda: cut_off("took_nothing") == before + 5)
        await eventually(lambda: not server.server_state.connections)
        assert len(await clients[0].read_to_the_end()) < len(LARGE)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /large HTTP/1.1\r\nHost: fin",
        b"POST /body HTTP/1.1\r\nHost: findme\r\nContent-Length: 10\r\n\r\n12345",
        b"POST /body HTTP/1.1\r\nHost: findme\r\nContent-Length: 2\r\n\r\n12GET /lar",
    ],
    ids=["nothing", "half a head", "half a body", "half a head after an answer"],
)
async def test_requests_that_never_end_hold_no_connection(sent: bytes) -> None:
    async with (
        server_of(application(), keep_alive_seconds=1) as server,
        clients_of(url_of(server), 3) as clients,
    ):
        for client in clients:
            await client.send(sent)
        async with asyncio.timeout(PATIENCE_SECONDS):
            for client in clients:
                await client.read_to_the_end()
        state = server.server_state
        await eventually(lambda: not state.connections and not state.tasks)


async def test_a_request_whose_body_nobody_asks_for_yet_is_let_alone() -> None:
    """The server reads no more of it: it is not the client that waits."""
    answers = asyncio.Event()
    app = FastAPI()

    @app.post("/later")
    async def later(request: Request) -> int:
        await answers.wait()
        return len(await request.body())

    body = b"x" * 1_000_000
    async with server_of(app) as server, clients_of(url_of(server), 1) as (client,):
        head = f"POST /later HTTP/1.1\r\nHost: findme\r\nContent-Length: {len(body)}\r\n\r\n"
        sending = asyncio.create_task(client.send(head.encode() + body))
        await eventually(lambda: server.server_state.connections)
        (connection,) = server.server_state.connections
        assert isinstance(connection, HttpProtocol)
        await eventually(lambda: connection.flow.read_paused)
        assert not connection._awaits_client()
        answers.set()
        await sending
        received = b""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not received.endswith(b"\r\n\r\n1000000"):
                received += await client.read(4096)
