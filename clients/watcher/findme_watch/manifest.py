"""What became of every file, in SQLite: it survives restarts, renames and a kill at any moment.

What was sent is known by its content: a file that was renamed or copied is not sent again. Where
a path still has the size and the time that it had, its content is not read again.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from findme_watch.known import UNREADABLE, Content, Known, Look, State

_VERSION: Final = 1
#: Several programs may write, one for each folder.
_BUSY_SECONDS: Final = 30.0
_SCHEMA: Final = """
CREATE TABLE destinations (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    UNIQUE (url, event_id)
);
CREATE TABLE contents (
    destination INTEGER NOT NULL REFERENCES destinations (id),
    sha256 TEXT NOT NULL,
    state TEXT NOT NULL,
    photo_id INTEGER,
    reason TEXT,
    PRIMARY KEY (destination, sha256)
) WITHOUT ROWID;
CREATE TABLE files (
    destination INTEGER NOT NULL REFERENCES destinations (id),
    path BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT,
    state TEXT NOT NULL,
    reason TEXT,
    changed_at REAL NOT NULL,
    PRIMARY KEY (destination, path)
) WITHOUT ROWID;
CREATE TABLE uploads (
    destination INTEGER NOT NULL REFERENCES destinations (id),
    sha256 TEXT NOT NULL,
    url TEXT NOT NULL,
    PRIMARY KEY (destination, sha256)
) WITHOUT ROWID;
CREATE TABLE taken_over (
    path BLOB PRIMARY KEY,
    destination INTEGER NOT NULL REFERENCES destinations (id)
) WITHOUT ROWID;
CREATE TABLE runs (
    folder BLOB NOT NULL,
    destination INTEGER NOT NULL REFERENCES destinations (id),
    pid INTEGER NOT NULL,
    seen_at REAL NOT NULL,
    problem TEXT,
    PRIMARY KEY (folder, destination)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A program that looks after a folder, or did."""

    folder: Path
    url: str
    event_id: int
    #: 0 once it has ended; a killed process says nothing.
    pid: int
    seen_at: float
    problem: str | None


class ManifestUnusable(Exception):
    """The manifest cannot be opened; the message says what to do."""


class Manifest:
    """All that is remembered, of every folder and event."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @classmethod
    @contextmanager
    def open(cls, file: Path) -> Iterator[Self]:
        """Open it, made where there is none. Raises ManifestUnusable."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(file, error) from error
        try:
            try:
                _prepare(connection, file)
            except sqlite3.Error as error:
                raise _unusable(file, error) from error
            yield cls(connection)
        finally:
            connection.close()

    def destination(self, url: str, event_id: int) -> "Destination":
        """What is known of files for this event of this server."""
        row = (url, event_id)
        self._db.execute("INSERT OR IGNORE INTO destinations (url, event_id) VALUES (?, ?)", row)
        (found,) = self._db.execute(
            "SELECT id FROM destinations WHERE url = ? AND event_id = ?", row
        ).fetchone()
        return Destination(self._db, found)

    def runs(self) -> list[Run]:
        """Return the folders that were ever watched, the last seen first."""
        rows = self._db.execute(
            "SELECT folder, url, event_id, pid, seen_at, problem FROM runs"
            " JOIN destinations ON destinations.id = destination ORDER BY seen_at DESC"
        )
        return [Run(_path(row[0]), *row[1:]) for row in rows]


class Destination:
    """What is known of files for one event."""

    def __init__(self, connection: sqlite3.Connection, number: int) -> None:
        self._db = connection
        self._id = number

    def known(self, folder: Path) -> dict[Path, Known]:
        """Return what is known of the files below the folder."""
        # Paths are compared as bytes; what sorts directly behind the separator ends the range.
        first = os.fsencode(folder / "_")[:-1]
        last = first[:-1] + bytes([first[-1] + 1])
        rows = self._db.execute(
            "SELECT path, size, mtime_ns, state, sha256, reason FROM files"
            " WHERE destination = ? AND path >= ? AND path < ?",
            (self._id, first, last),
        )
        return {
            _path(path): Known(Look(size, mtime_ns), State(state), sha256, reason)
            for path, size, mtime_ns, state, sha256, reason in rows
        }

    def content(self, sha256: str) -> Content | None:
        """What became of these bytes, None when they were never finished with."""
        row = self._db.execute(
            "SELECT state, photo_id, reason FROM contents WHERE destination = ? AND sha256 = ?",
            (self._id, sha256),
        ).fetchone()
        return Content(State(row[0]), row[1], row[2]) if row else None

    def keep(self, path: Path, known: Known, content: Content | None = None) -> None:
        """Remember what is known of a path and, where it is finished, of its bytes."""
        with self._transaction():
            self._write([(path, known)])
            if content is not None and known.sha256 is not None:
                self._db.execute(
                    "INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?)",
                    (self._id, known.sha256, content.state.value, content.photo_id, content.reason),
                )
                self._db.execute(
                    "DELETE FROM uploads WHERE destination = ? AND sha256 = ?",
                    (self._id, known.sha256),
                )

    def keep_all(self, files: Iterable[tuple[Path, Known]]) -> None:
        """Remember what is known of many paths."""
        with self._transaction():
            self._write(files)

    def forget_refusals(self) -> int:
        """Let what was refused be sent again; return how many files that are."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM contents WHERE destination = ? AND state = 'refused'", (self._id,)
            )
            return self._db.execute(
                "DELETE FROM files WHERE destination = ? AND state = 'refused'", (self._id,)
            ).rowcount

    def keep_unreadable(self, now: Mapping[Path, str], before: Iterable[Path]) -> None:
        """Remember which files and folders cannot be read, and why; of others no longer."""
        with self._transaction():
            self._db.executemany(
                "DELETE FROM files WHERE destination = ? AND path = ? AND size = ?",
                ((self._id, _key(path), UNREADABLE.size) for path in before if path not in now),
            )
            self._write(
                (path, Known(UNREADABLE, State.LISTED, None, reason))
                for path, reason in now.items()
            )

    def upload_url(self, sha256: str) -> str | None:
        """Return where an upload of these bytes goes on, None when none has begun."""
        row = self._db.execute(
            "SELECT url FROM uploads WHERE destination = ? AND sha256 = ?", (self._id, sha256)
        ).fetchone()
        return str(row[0]) if row else None

    def set_upload_url(self, sha256: str, url: str | None) -> None:
        """Remember where an upload goes on; None for one that is gone."""
        if url is None:
            self._db.execute(
                "DELETE FROM uploads WHERE destination = ? AND sha256 = ?", (self._id, sha256)
            )
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)", (self._id, sha256, url)
            )

    def take_over(
        self, manifest: Path, files: Iterable[tuple[Path, Known]], sent: Iterable[str] = ()
    ) -> bool:
        """Take an earlier watcher's manifest in, for the first event that asks; False for others.

        What it names was sent to the event of that time, and to no later one. `sent` are the
        SHA-256 of what it says was sent.
        """
        with self._transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO taken_over VALUES (?, ?)", (_key(manifest), self._id)
            )
            (whose,) = self._db.execute(
                "SELECT destination FROM taken_over WHERE path = ?", (_key(manifest),)
            ).fetchone()
            if whose != self._id:
                return False
            self._write(files)
            self._db.executemany(
                "INSERT OR IGNORE INTO contents VALUES (?, ?, ?, NULL, NULL)",
                ((self._id, sha256, State.SENT.value) for sha256 in sent),
            )
        return True

    def note_run(self, folder: Path, problem: str | None) -> None:
        """Say that this process looks after the folder, and what is wrong with it."""
        self._db.execute(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)",
            (_key(folder), self._id, os.getpid(), time.time(), problem),
        )

    def note_end(self, folder: Path) -> None:
        """Say that this process does not look after the folder any more."""
        self._db.execute(
            "UPDATE runs SET pid = 0 WHERE folder = ? AND destination = ? AND pid = ?",
            (_key(folder), self._id, os.getpid()),
        )

    def _write(self, files: Iterable[tuple[Path, Known]]) -> None:
        now = time.time()
        self._db.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    self._id,
                    _key(path),
                    known.look.size,
                    known.look.mtime_ns,
                    known.sha256,
                    known.state.value,
                    known.reason,
                    now,
                )
                for path, known in files
            ),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # A killed process loses nothing; a power cut may lose the last second, and the server is asked.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")
    if version > _VERSION:
        msg = f"{file} was written by a newer findme-watch. Update this one."
        raise ManifestUnusable(msg)


def _unusable(file: Path, error: Exception) -> ManifestUnusable:
    return ManifestUnusable(
        f"The list of what was sent cannot be opened: {file} ({error})."
        " See that its folder can be written, or name another with --state."
    )


def _key(path: Path) -> bytes:
    # Names on Linux need not be text.
    return os.fsencode(path)


def _path(key: bytes) -> Path:
    return Path(os.fsdecode(key))
