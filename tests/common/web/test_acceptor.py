"""Many connections at once, against the loop that serves: uvloop, on real sockets."""

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from libs.common.web import acceptor
from libs.common.web.connection_bounds import ConnectionBounds
from libs.common.web.http_protocol import protocol_of
from libs.common.web.stopping import GracefulServer, Stopping
from tests.support.polling import PATIENCE_SECONDS, eventually

CLIENTS = 300
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


async def hello(_: Scope, __: Receive, send: Send) -> None:
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


@contextlib.asynccontextmanager
async def server_of(
    *, host: str = "127.0.0.1", bounds: ConnectionBounds | None = None
) -> AsyncIterator[GracefulServer]:
    config = uvicorn.Config(
        hello,
        host=host,
        port=0,
        http=protocol_of(bounds=bounds),
        ws="none",
        log_config=None,
        lifespan="off",
    )
    config.load()
    server = GracefulServer(config, [Stopping()])
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server
    finally:
        await asyncio.wait_for(server.shutdown(), PATIENCE_SECONDS)


def address_of(server: uvicorn.Server) -> tuple[str, int]:
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return host, port


@contextlib.contextmanager
def clients_of(server: uvicorn.Server, count: int) -> Iterator[list[socket.socket]]:
    """Connect and ask; the system takes part in that, and the server's loop does not yet."""
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(address_of(server), PATIENCE_SECONDS))
            for _ in range(count)
        ]
        for client in clients:
            client.sendall(GET)
        yield clients


def on_uvloop(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_many_that_come_at_once_are_taken_in_a_few_rounds_of_the_loop() -> None:
    async def work() -> None:
        async with server_of() as server:
            with clients_of(server, CLIENTS) as clients:
                rounds = 0
                while len(server.server_state.connections) < CLIENTS:
                    rounds += 1
                    # All that is ready is called in each: as long as the slice of work may be.
                    await asyncio.sleep(0)
                    assert rounds < CLIENTS / 10, "they are taken one by one"
                await asyncio.to_thread(all_answered, clients)

    on_uvloop(work)


def all_answered(clients: list[socket.socket]) -> None:
    for client in clients:
        answer = client.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"hello")


def test_answers_are_sent_at_once_and_not_held_back_for_more() -> None:
    async def work() -> None:
        async with server_of() as server:
            with clients_of(server, 1) as clients:
                await asyncio.to_thread(all_answered, clients)
                (connection,) = server.server_state.connections
                taken = connection.transport.get_extra_info("socket")
                assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    on_uvloop(work)


def test_what_is_one_too_many_is_refused() -> None:
    bounds = ConnectionBounds(in_all=3, per_address=100, proxies="10.0.0.1")

    async def work() -> None:
        async with server_of(bounds=bounds) as server:
            with clients_of(server, 10) as clients:
                answers = await asyncio.to_thread(
                    lambda: [client.recv(10_000)[:13] for client in clients]
                )
                assert sorted(answers) == 3 * [b"HTTP/1.1 200 "] + 7 * [b"HTTP/1.1 503 "]

    on_uvloop(work)


def test_a_server_that_ends_listens_at_no_address_any_more() -> None:
    async def work() -> None:
        # By name: on most systems two addresses.
        async with server_of(host="localhost") as server:
            addresses = [one.sockets[0].getsockname()[:2] for one in server.servers]
            for address in addresses:
                socket.create_connection(address, PATIENCE_SECONDS).close()
        for address in addresses:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, PATIENCE_SECONDS)

    on_uvloop(work)


def test_a_server_without_a_file_left_takes_them_when_there_is_one_again() -> None:
    async def work() -> None:
        async with server_of() as server:
            with clients_of(server, 5) as clients:
                listener = server.servers[0]
                assert isinstance(listener, acceptor.Acceptor)
                with no_file_left():
                    await eventually(lambda: listener.is_paused)
                assert not server.server_state.connections
                await asyncio.to_thread(all_answered, clients)

    on_uvloop(work)


@contextlib.contextmanager
def no_file_left() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    next_number = os.dup(0)
    os.close(next_number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_number, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
