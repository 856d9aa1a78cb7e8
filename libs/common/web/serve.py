"""Run one service's application in a process of its own."""

import resource
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette

from libs.common.setting_files import WrongSettings
from libs.common.settings import CommonSettings
from libs.common.telemetry import logs
from libs.common.web.acceptor import Tls
from libs.common.web.at_once import AnswersAtOnce
from libs.common.web.connection_bounds import ConnectionBounds
from libs.common.web.forwarded import Forwarded
from libs.common.web.http_protocol import protocol_of
from libs.common.web.stopping import GracefulServer

#: Time for requests in flight once the consumers have stopped; an open live stream is cut then.
GRACEFUL_SHUTDOWN_SECONDS = 20
#: A connection without a request is kept for so long; and so long may a request's head take, and
#: the next piece of its body. As at the gateways, and longer than ingest waits for one.
KEEP_ALIVE_SECONDS = 75
MAX_OPEN_FILES = 65_536


S = TypeVar("S", bound=CommonSettings)


def serve(settings_class: type[S], create_app: Callable[[S], FastAPI]) -> None:
    """Read the settings from the environment and serve until SIGTERM or SIGINT.

    Settings that are missing or wrong end the process with one sentence each.
    """
    settings = _read(settings_class)
    open_many_files()
    logs.configure(settings.log_level, settings.log_format)
    logs.catch_crashes()
    app = create_app(settings)
    GracefulServer(server_config(app, settings), [app.state.stopping]).run()


def open_many_files() -> None:
    """Let the process have as many connections and files as the system allows it, up to 65,536.

    Systems often give 1,024 to whoever does not ask for more: fewer than live streams.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS takes no more than its kernel's limit, which is not the one that it tells.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Listening(Protocol):
    """The settings of where a server listens, whom it believes, and how patient it is."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def forwarded_allow_ips(self) -> str: ...
    @property
    def client_stall_seconds(self) -> float: ...
    @property
    def max_connections(self) -> int: ...
    @property
    def max_connections_per_address(self) -> int: ...


def server_config(
    app: Starlette, settings: Listening, *, graceful_seconds: int = GRACEFUL_SHUTDOWN_SECONDS
) -> uvicorn.Config:
    """Return how uvicorn runs a service, or all of them in one process."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        proxy_headers=False,
        # Nothing here speaks WebSocket: such an offer is ignored like every other one.
        http=protocol_of(
            stall_seconds=settings.client_stall_seconds,
            bounds=_bounds(settings, allowed=_connections_allowed()),
            forwarded=Forwarded(trusted=settings.forwarded_allow_ips),
            at_hand=app if isinstance(app, AnswersAtOnce) else None,
        ),
        ws="none",
        log_config=None,
        access_log=False,
        # Nobody needs to know what serves.
        server_header=False,
        timeout_graceful_shutdown=graceful_seconds,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def tls_of(context: Callable[[], ssl.SSLContext], settings: Listening) -> Tls:
    """Return how a server protects connections, each by the `context` of its moment."""
    # Beside the connections; an eighth of the files is left to database, store and bus.
    return Tls(context, _bounds(settings, allowed=max(_files_allowed() // 8, 1)))


def _bounds(settings: Listening, *, allowed: int) -> ConnectionBounds:
    """Return how many at a time are let in, of as many as the system allows."""
    in_all = min(settings.max_connections, allowed)
    return ConnectionBounds(
        in_all=in_all,
        # Whoever holds all that there are from one address would keep everybody else out.
        per_address=min(settings.max_connections_per_address, max(in_all // 2, 1)),
        proxies=settings.forwarded_allow_ips,
    )


def _connections_allowed() -> int:
    """Three quarters of the files that the system allows: database, store and bus need some."""
    return max(_files_allowed() * 3 // 4, 1)


def _files_allowed() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def _read(settings_class: type[S]) -> S:
    try:
        settings = settings_class()
    except WrongSettings as error:
        raise SystemExit(str(error)) from error
    if settings.amqp_url is None:
        # The bus in process ends at the process: no other service would hear a word.
        msg = "AMQP_URL: a service by itself needs RabbitMQ; `findme up` runs without it"
        raise SystemExit(msg)
    return settings
