"""A backup's files: where they lie, how they are written whole, and their checksums."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.common.errors import Conflict, FindMeError
from standalone.data_dir import closed_file

READ_BYTES = 1024 * 1024
MANIFEST = "manifest.json"
ERASURES = "erasures.jsonl"
SECRET = "secret.key"  # noqa: S105 - a file's name
OBJECTS = "objects"
#: Names a message lists before it only counts.
NAMED = 5


class BackupDamaged(FindMeError):
    """Files of a backup are not what its manifest says."""

    def __init__(self, names: list[str]) -> None:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        super().__init__(
            f"The backup is damaged: {', '.join(names[:NAMED])}{more}. Delete what is named and"
            " run `findme backup` again, or use another copy."
        )
        self.names = names


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of the backup, by its name in the folder."""

    file: str
    size: int
    sha256: str


def facts_of(folder: Path, name: str) -> FileFacts:
    """Read the file and tell what it is."""
    path = folder / name
    return FileFacts(name, path.stat().st_size, sha256_of(path))


def is_as_told(folder: Path, facts: FileFacts) -> bool:
    """Whether the file is there and what it was."""
    try:
        return facts_of(folder, facts.file) == facts
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """Return the digest of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file at once: after a crash it is the old one or the new one."""
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other backups out of the folder, which only its owner may enter."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Whoever may open it may lock it.
    with closed_file(folder / "lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = f"Another backup or restore is at work in {folder}. Wait for its end."
            raise Conflict(msg) from error
        yield
