"""Run standalone FindMe until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable

import structlog
import uvicorn
import uvloop

from libs.common.errors import Unavailable
from libs.common.telemetry import logs
from libs.common.web.serve import open_many_files, server_config
from libs.common.web.stopping import GracefulServer
from standalone.app import standalone_app
from standalone.postgres import database_url
from standalone.settings import StandaloneSettings

log = structlog.get_logger(__name__)

GRACEFUL_SHUTDOWN_SECONDS = 10


def serve(settings: StandaloneSettings, *, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` gets the URL once requests are answered.

    Raises Unavailable when the port is taken, AlreadyRunning when the data folder is.
    """
    open_many_files()
    logs.configure(settings.log_level, settings.log_format)
    with _listen(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        # Outside the event loop: starting and stopping PostgreSQL blocks.
        with (
            database_url(settings, owner=True) as url,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve(settings, url, listener, lambda: on_ready(f"http://{host}:{port}")))


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        msg = f"Cannot listen on {host}:{port} ({error.strerror}). Name another with --port."
        raise Unavailable(msg) from error


async def _serve(
    settings: StandaloneSettings, url: str, listener: socket.socket, ready: Callable[[], None]
) -> None:
    async with standalone_app(settings, url) as app:
        server = GracefulServer(
            server_config(app, settings, graceful_seconds=GRACEFUL_SHUTDOWN_SECONDS),
            app.state.stopping,
        )
        announce = asyncio.create_task(_announce(server, ready))
        try:
            await server.serve(sockets=[listener])
        finally:
            announce.cancel()


async def _announce(server: uvicorn.Server, ready: Callable[[], None]) -> None:
    while not server.started:  # noqa: ASYNC110 - the server has a flag, no event
        await asyncio.sleep(0.02)
    ready()
