"""Run standalone FindMe until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

import structlog
import uvicorn
import uvloop

from libs.common.errors import Unavailable
from libs.common.telemetry import logs
from libs.common.web.serve import open_many_files, server_config, tls_of
from libs.common.web.stopping import GracefulServer
from standalone.address import Address, keep_address, listening_address
from standalone.app import standalone_app
from standalone.postgres import database_url
from standalone.settings import StandaloneSettings
from standalone.tls import ServerCertificate

log = structlog.get_logger(__name__)

GRACEFUL_SHUTDOWN_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Ready:
    """What whoever started FindMe is told once requests are answered."""

    #: Where guests open it.
    address: Address
    #: Where this machine does.
    local_url: str
    #: While there is no admin, what the first one is made with: for the terminal, not for the log.
    setup_token: str | None


def serve(settings: StandaloneSettings, *, on_ready: Callable[[Ready], None]) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` is called once requests are answered.

    Raises Unavailable when the port is taken, AlreadyRunning when the data folder is, and
    InvalidInput for a certificate that cannot be used.
    """
    certificate = _certificate(settings)
    open_many_files()
    logs.configure(settings.log_level, settings.log_format)
    logs.catch_crashes()
    with listen(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        address = listening_address(settings, port, certificate)
        # Links in mails and QR codes lead there, whichever port it became.
        settings = settings.model_copy(
            update={"port": port} | ({"public_url": address.url} if address.is_for_phones else {})
        )
        # Outside the event loop: starting and stopping PostgreSQL blocks.
        with (
            database_url(settings, owner=True) as url,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            local_url = _local_url(listener, certificate)

            def ready(setup_token: str | None) -> None:
                keep_address(settings.data_dir, address)
                # What was told before comes before it at the terminal, too.
                logs.flush()
                on_ready(Ready(address, local_url, setup_token))

            runner.run(_serve(settings, url, listener, certificate, ready))


def _certificate(settings: StandaloneSettings) -> ServerCertificate | None:
    if settings.tls_certificate is None:
        return None
    return ServerCertificate(settings.tls_certificate, settings.tls_key)


def _local_url(listener: socket.socket, certificate: ServerCertificate | None) -> str:
    """Return how this machine opens what listens there."""
    host, port = listener.getsockname()[:2]
    address = ip_address(host)
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    scheme = "http" if certificate is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """Listen on the address. Raises Unavailable."""
    try:
        if ":" not in host:
            return socket.create_server((host, port), backlog=1024)
        return socket.create_server(
            (host, port),
            family=socket.AF_INET6,
            backlog=1024,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        msg = f"Cannot listen on {host}:{port} ({error.strerror}). Name another with --port."
        raise Unavailable(msg) from error


async def _serve(
    settings: StandaloneSettings,
    url: str,
    listener: socket.socket,
    certificate: ServerCertificate | None,
    ready: Callable[[str | None], None],
) -> None:
    async with standalone_app(settings, url) as app:
        server = GracefulServer(
            server_config(app, settings, graceful_seconds=GRACEFUL_SHUTDOWN_SECONDS),
            app.state.stopping,
            tls=None if certificate is None else tls_of(certificate.context, settings),
        )
        announce = asyncio.create_task(_announce(server, lambda: ready(app.state.setup_token)))
        try:
            await server.serve(sockets=[listener])
        finally:
            announce.cancel()


async def _announce(server: uvicorn.Server, ready: Callable[[], None]) -> None:
    while not server.started:  # noqa: ASYNC110 - the server has a flag, no event
        await asyncio.sleep(0.02)
    ready()
