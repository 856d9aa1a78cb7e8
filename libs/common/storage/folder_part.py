"""One object of the folder store while it is being written: a part file, then a rename."""

import asyncio
import errno
import mmap
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from libs.common.storage.keys import checked_key
from libs.common.storage.protocol import Beside, Buffer, StoreFull, StoreUnavailable

#: What a writer holds; a thread is entered once for so much.
WRITE_BATCH_BYTES = 256 * 1024
#: Tries to move a part in while deletions remove the directory it is to go to.
PUBLISH_ATTEMPTS = 10


class FolderWriter:
    """Collects small writes into batches, so that a thread is entered seldom."""

    def __init__(self, part: "Part", root: Path) -> None:
        self._part = part
        self._root = root
        # Of the system, to which it goes back at once: what grows and shrinks among what is small
        # and lives on would stay with the process.
        self._batch: mmap.mmap | None = None
        self._filled = 0

    async def write(self, data: Buffer, *, beside: Beside | None = None) -> None:
        if beside is not None:
            await self._flush()
            await asyncio.to_thread(self._part.write, data, beside)
            return
        left = memoryview(data)
        while left:
            batch = self._batch = self._batch or mmap.mmap(-1, WRITE_BATCH_BYTES)
            piece = left[: WRITE_BATCH_BYTES - self._filled]
            batch[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)
            left = left[len(piece) :]
            if self._filled == WRITE_BATCH_BYTES:
                await self._flush()

    async def commit(self) -> None:
        await self._flush()
        await asyncio.to_thread(self._part.publish)

    async def commit_as(self, key: str) -> None:
        self._part.target = self._root / checked_key(key)
        await self.commit()

    async def _flush(self) -> None:
        if self._batch is not None and self._filled:
            filled, self._filled = self._filled, 0
            await asyncio.to_thread(self._part.write, memoryview(self._batch)[:filled])


class Part:
    """An unfinished object on disk. Its methods block.

    The lock keeps `discard` from closing the file under a write whose caller was cancelled
    while the thread goes on.
    """

    def __init__(self, path: Path, target: Path, file: BinaryIO) -> None:
        self._path = path
        self.target = target
        self._file = file
        self._lock = threading.Lock()

    @classmethod
    def create(cls, parts: Path, target: Path) -> "Part":
        path = parts / f"{uuid.uuid4().hex}.part"
        with translated_write_errors():
            file = path.open("xb", buffering=0)  # "x" is O_EXCL
        return cls(path, target, file)

    @property
    def is_ended(self) -> bool:
        """Whether there is nothing left to discard."""
        return self._file.closed

    def write(self, data: Buffer, beside: Beside | None = None) -> None:
        view = memoryview(data)
        if beside is not None:
            beside(view)
        with self._lock, translated_write_errors():
            while view:
                view = view[self._file.write(view) :]

    def publish(self) -> None:
        with self._lock, translated_write_errors():
            os.fsync(self._file.fileno())
            self._move_in()
            _fsync_directory(self.target.parent)
            self._file.close()

    def discard(self) -> None:
        # What cannot be removed now is swept at a later start.
        with self._lock, suppress(OSError):
            self._file.close()
            self._path.unlink(missing_ok=True)

    def _move_in(self) -> None:
        for attempt in range(1, PUBLISH_ATTEMPTS + 1):
            try:
                self.target.parent.mkdir(parents=True, exist_ok=True)
                self._path.replace(self.target)
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
        return StoreFull("The photo store is full.")
    return StoreUnavailable(f"The photo store failed: {error.strerror}.")
