"""Run one service's application in a process of its own."""

import resource
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from starlette.applications import Starlette

from libs.common.setting_files import SettingUnreadable
from libs.common.settings import CommonSettings
from libs.common.telemetry import logs
from libs.common.web.http_protocol import patient_for
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


def server_config(
    app: Starlette, settings: Listening, *, graceful_seconds: int = GRACEFUL_SHUTDOWN_SECONDS
) -> uvicorn.Config:
    """Return how uvicorn runs a service, or all of them in one process."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        # Nothing here speaks WebSocket: such an offer is ignored like every other one.
        http=patient_for(settings.client_stall_seconds),
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=graceful_seconds,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def _read(settings_class: type[S]) -> S:
    try:
        settings = settings_class()
    except ValidationError as error:
        problems = [
            f"{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors()
        ]
        raise SystemExit("\n".join(problems)) from error
    except SettingUnreadable as error:
        raise SystemExit(str(error)) from error
    if settings.amqp_url is None:
        # The bus in process ends at the process: no other service would hear a word.
        msg = "AMQP_URL: a service by itself needs RabbitMQ; `findme up` runs without it"
        raise SystemExit(msg)
    return settings
