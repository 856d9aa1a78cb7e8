"""The data folder: one owner at a time, its objects, and a secret made at the first start."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from libs.common.errors import Conflict, FindMeError, Unavailable

_BACKUP_NOTE: Final = "last-backup"


class AlreadyRunning(Conflict):
    """Another process owns the data folder."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"FindMe is already running on {data_dir}. Stop it first, or name another folder "
            "with --data-dir."
        )


class NoDataDir(FindMeError):
    """There is no such folder: its name may be mistyped."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"There is no data folder {data_dir}. Name it by FINDME_DATA_DIR; `findme up` makes a"
            " new one."
        )


class Unwritable(Unavailable):
    """The data folder cannot be made, or written to."""

    def __init__(self, data_dir: Path, error: OSError) -> None:
        super().__init__(
            f"FindMe cannot write into {data_dir} ({error.strerror or error}). Give the folder to"
            f" the user that runs it, or name another one with --data-dir."
        )


@contextmanager
def owned(data_dir: Path) -> Iterator[None]:
    """Own the folder for the length of the block; the kernel lets go when the process dies.

    Raises AlreadyRunning, Unwritable.
    """
    make_data_dir(data_dir)
    try:
        # Whoever may open it may lock it.
        lock = closed_file(data_dir / "lock")
    except OSError as error:
        raise Unwritable(data_dir, error) from error
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(data_dir) from error
        yield


def make_data_dir(data_dir: Path) -> None:
    """Make the folder unless it is there: its owner's alone.

    For root, whose PostgreSQL runs as another user, others may pass through it; what lies in it
    is closed by itself. Raises Unwritable.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise Unwritable(data_dir, error) from error


def closed_file(path: Path) -> IO[bytes]:
    """Open a file to append to, which only its owner may open, also where it was there before."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
    os.fchmod(file.fileno(), 0o600)
    return file


def write_closed(path: Path, text: str) -> None:
    """Write a file anew, which only its owner may open."""
    with closed_file(path) as file:
        file.truncate(0)
        file.write(text.encode())


def note_backup(data_dir: Path, folder: Path) -> None:
    """Keep where the last backup is, for `findme doctor`."""
    write_closed(data_dir / _BACKUP_NOTE, f"{folder.absolute()}\n")


def noted_backup(data_dir: Path) -> Path | None:
    """Return the folder of the last backup, None where none is known."""
    with suppress(OSError):
        return Path((data_dir / _BACKUP_NOTE).read_text().strip())
    return None


def objects_dir(data_dir: Path) -> Path:
    """Return the folder of photos and selfies, which only its owner may enter."""
    folder = data_dir / "objects"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def secret_key(data_dir: Path) -> str:
    """Return the folder's secret, making it at the first call; readable by its owner only."""
    path = data_dir / "secret.key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    return path.read_text().strip()
