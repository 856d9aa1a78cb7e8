"""The data folder: one owner at a time, its objects, and a secret made at the first start."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from libs.common.errors import Conflict


class AlreadyRunning(Conflict):
    """Another process owns the data folder."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"FindMe is already running on {data_dir}. Stop it first, or name another folder "
            "with --data-dir."
        )


@contextmanager
def owned(data_dir: Path) -> Iterator[None]:
    """Own the folder for the length of the block; the kernel lets go when the process dies.

    Raises AlreadyRunning.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(data_dir) from error
        yield


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
