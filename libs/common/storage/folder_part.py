"""One object of the folder store while it is being written: a part file, then a rename."""

import asyncio
import errno
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from libs.common.storage.protocol import StoreUnavailable

WRITE_BATCH_BYTES = 1024 * 1024
#: Tries to move a part in while deletions remove the directory it is to go to.
PUBLISH_ATTEMPTS = 10


class FolderWriter:
    """Collects small writes into batches, so that a thread is entered once per megabyte."""

    def __init__(self, part: "Part") -> None:
        self._part = part
        self._batch = bytearray()

    async def write(self, data: bytes) -> None:
        self._batch += data
        if len(self._batch) >= WRITE_BATCH_BYTES:
            await self._flush()

    async def commit(self) -> None:
        await self._flush()
        await asyncio.to_thread(self._part.publish)

    async def _flush(self) -> None:
        batch, self._batch = self._batch, bytearray()
        await asyncio.to_thread(self._part.write, batch)


class Part:
    """An unfinished object on disk. Its methods block.

    The lock keeps `discard` from closing the file under a write whose caller was cancelled
    while the thread goes on.
    """

    def __init__(self, path: Path, target: Path, file: BinaryIO) -> None:
        self._path = path
        self._target = target
        self._file = file
        self._lock = threading.Lock()

    @classmethod
    def create(cls, parts: Path, target: Path) -> "Part":
        path = parts / f"{uuid.uuid4().hex}.part"
        with translated_write_errors():
            file = path.open("xb", buffering=0)  # "x" is O_EXCL
        return cls(path, target, file)

    def write(self, data: bytes | bytearray) -> None:
        with self._lock, translated_write_errors():
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]

    def publish(self) -> None:
        with self._lock, translated_write_errors():
            os.fsync(self._file.fileno())
            self._move_in()
            _fsync_directory(self._target.parent)

    def discard(self) -> None:
        # What cannot be removed now is swept at a later start.
        with self._lock, suppress(OSError):
            self._file.close()
            self._path.unlink(missing_ok=True)

    def _move_in(self) -> None:
        for attempt in range(1, PUBLISH_ATTEMPTS + 1):
            try:
                self._target.parent.mkdir(parents=True, exist_ok=True)
                self._path.replace(self._target)
            except (FileNotFoundError, FileExistsError):
                # A deletion took the empty directory between the two calls, or between
                # mkdir's own look at what exists and its verdict.
                if attempt == PUBLISH_ATTEMPTS:
                    raise
            else:
                return


def _fsync_directory(path: Path) -> None:
    # Without it a power cut can lose the name of a file whose bytes are safe.
    with suppress(FileNotFoundError):  # the object was deleted again meanwhile
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


@contextmanager
def translated_write_errors() -> Iterator[None]:
    """Translate the errors of writing: no such directory is the store's fault."""
    try:
        yield
    except OSError as error:
        raise unavailable(error) from error


def unavailable(error: OSError) -> StoreUnavailable:
    """Say what the operating system refused."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreUnavailable("The photo store is full.")
    return StoreUnavailable(f"The photo store failed: {error.strerror}.")
