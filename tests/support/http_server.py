"""Ways to call an application from a test: without a socket, or behind a real one."""

import contextlib
import socket
from collections.abc import AsyncIterator

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from libs.common.web.at_once import AnswersAtOnce
from libs.common.web.connection_bounds import ConnectionBounds
from libs.common.web.http_protocol import HEAD_SECONDS, protocol_of
from libs.common.web.lingering import LINGER_SECONDS
from libs.common.web.serve import KEEP_ALIVE_SECONDS
from libs.common.web.stalled import DEFAULT_STALL_SECONDS
from tests.support.documented import DocumentedTransport


@contextlib.asynccontextmanager
async def calling(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Start the application and call it without a socket; answers must be as they are documented.

    The last error handler answers and raises on, for the server's log: here the answer counts.
    """
    transport = DocumentedTransport(app, [app], raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serve a started application on a free port of 127.0.0.1, and yield its URL."""
    async with server_of(app) as server:
        yield url_of(server)


@contextlib.asynccontextmanager
async def server_of(
    app: ASGIApp,
    *,
    stall_seconds: float = DEFAULT_STALL_SECONDS,
    keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
    head_seconds: float = HEAD_SECONDS,
    linger_seconds: float = LINGER_SECONDS,
    bounds: ConnectionBounds | None = None,
    send_buffer_bytes: int | None = None,
) -> AsyncIterator[uvicorn.Server]:
    """Serve a started application as production does, but for its process's signal handlers.

    With a small `send_buffer_bytes` the system keeps little for clients that do not read.
    """
    config = uvicorn.Config(
        app,
        http=protocol_of(
            stall_seconds=stall_seconds,
            head_seconds=head_seconds,
            linger_seconds=linger_seconds,
            bounds=bounds,
            at_hand=app if isinstance(app, AnswersAtOnce) else None,
        ),
        ws="none",
        log_config=None,
        lifespan="off",
        timeout_keep_alive=keep_alive_seconds,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        if send_buffer_bytes is not None:
            # Those that it accepts inherit it.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        await server.startup(sockets=[listener])
        try:
            yield server
        finally:
            await server.shutdown()


def url_of(server: uvicorn.Server) -> str:
    """Where the server answers."""
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return f"http://127.0.0.1:{port}"
