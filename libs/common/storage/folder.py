"""The object store as a folder: one file per object, visible only when it is whole."""

import asyncio
import os
import stat
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from libs.common.storage.folder_part import (
    FolderWriter,
    Part,
    translated_write_errors,
    unavailable,
)
from libs.common.storage.keys import (
    PARTS_DIRECTORY,
    checked_folder,
    checked_key,
    checked_prefix,
)
from libs.common.storage.protocol import (
    AnswerHeaders,
    ListedObject,
    ObjectInfo,
    ObjectNotFound,
    StoreUnavailable,
    UnfinishedUpload,
)
from libs.common.storage.stored_file import StoredFile

READ_PIECE_BYTES = 256 * 1024
LIST_BATCH = 1000
#: A part is touched by every batch written; one untouched for so long has lost its writer.
PART_MAX_AGE_SECONDS = 3600.0


class FolderStore:
    """Objects as files under a root directory. Make one with `FolderStore.open`.

    Writes and their fsync run in worker threads, and so does the reading of what memory does not
    have (see `StoredFile`).
    """

    def __init__(self, root: Path, *, is_read_only: bool = False) -> None:
        self._root = root
        self._prefix = f"{root}/"
        self._parts = root / PARTS_DIRECTORY
        self._is_read_only = is_read_only

    @classmethod
    async def open(cls, root: Path, *, is_read_only: bool = False) -> "FolderStore":
        """Make the directories that are missing and sweep the parts that writers left behind.

        Who only reads touches nothing: the folder may be mounted so that it could not, and may be
        made later by those who write.
        """
        store = cls(await asyncio.to_thread(root.absolute), is_read_only=is_read_only)
        if not is_read_only:
            await asyncio.to_thread(store._prepare)
        return store

    @asynccontextmanager
    async def create(self, key: str, *, content_type: str) -> AsyncIterator[FolderWriter]:
        """Write to a part file; the name tells the type, so `content_type` is not kept."""
        # Opened on the loop: cancelled while it waits for a thread, it would lose the file.
        part = Part.create(self._parts, self._path(key))
        try:
            yield FolderWriter(part, self._root)
        finally:
            # Shielded: a cancelled upload must not leave its part behind.
            if not part.is_ended:
                await asyncio.shield(asyncio.to_thread(part.discard))

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        await asyncio.to_thread(self._put, self._path(key), data)

    async def stat(self, key: str) -> ObjectInfo:
        path = self._path(key)
        with _translated(key):
            return _info(key, path.stat())

    def open_file(self, key: str) -> StoredFile | None:
        return self._open(key)

    async def get(self, key: str) -> bytes:
        return (await self.get_object(key))[1]

    async def get_object(self, key: str) -> tuple[ObjectInfo, bytes]:
        with self._open(key) as file:
            return file.info, bytes(await file.read(0, file.info.size_bytes))

    async def presigned_url(
        self,
        key: str,
        *,
        valid_seconds: int,
        headers: AnswerHeaders,
    ) -> str | None:
        checked_key(key)
        return None

    async def read(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        with self._open(key) as file:
            end = file.info.size_bytes if end is None else min(end, file.info.size_bytes)
            for position in range(start, end, READ_PIECE_BYTES):
                yield bytes(await file.read(position, min(position + READ_PIECE_BYTES, end)))

    @asynccontextmanager
    async def local_file(self, key: str) -> AsyncIterator[Path]:
        path = self._path(key)
        await self.stat(key)
        yield path

    async def list(self, prefix: str) -> AsyncIterator[ListedObject]:
        found = self._walk(checked_prefix(prefix))
        with _translated(prefix):
            while batch := await asyncio.to_thread(lambda: [*islice(found, LIST_BATCH)]):
                for info in batch:
                    yield info

    async def delete(self, key: str) -> None:
        path = self._path(key)
        with _translated(key):
            await asyncio.to_thread(self._delete, path)

    async def delete_prefix(self, prefix: str) -> int:
        checked_folder(prefix)
        with _translated(prefix):
            return await asyncio.to_thread(self._delete_prefix, prefix)

    async def unfinished(self) -> AsyncIterator[UnfinishedUpload]:
        with _translated(PARTS_DIRECTORY):
            for upload in await asyncio.to_thread(lambda: [*self._unfinished()]):
                yield upload

    async def discard(self, upload: UnfinishedUpload) -> None:
        part = self._parts / Path(upload.name).name
        with _translated(upload.name):
            await asyncio.to_thread(part.unlink, missing_ok=True)

    async def free_bytes(self) -> int | None:
        with _translated(""):
            system = await asyncio.to_thread(os.statvfs, self._root)
        return system.f_bavail * system.f_frsize

    async def check(self) -> None:
        if self._is_read_only:
            await asyncio.to_thread(self._check_reading)
            return
        probe = self._parts / f"{uuid.uuid4().hex}.part"
        await asyncio.to_thread(lambda: Part.create(self._parts, probe).discard())

    def _open(self, key: str) -> StoredFile:
        # Not by `_translated`: pages are made of these, and a generator costs as much as opening.
        try:
            descriptor = os.open(self._prefix + checked_key(key), os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise ObjectNotFound(key) from error
        except OSError as error:
            raise unavailable(error) from error
        try:
            return StoredFile(descriptor, _info(key, os.fstat(descriptor)))
        except BaseException:
            os.close(descriptor)
            raise

    def _check_reading(self) -> None:
        try:
            os.scandir(self._root).close()
        except OSError as error:
            msg = f"The folder {self._root} cannot be read: {error.strerror}"
            raise StoreUnavailable(msg) from error

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _prepare(self) -> None:
        with translated_write_errors():
            # Nobody else of this machine sees photos and selfies, nor the names of events' folders.
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._parts.mkdir(exist_ok=True)
            oldest = datetime.now(UTC) - timedelta(seconds=PART_MAX_AGE_SECONDS)
            for upload in self._unfinished():
                if upload.begun_at < oldest:
                    # Another process may sweep the same folder at the same time.
                    (self._parts / upload.name).unlink(missing_ok=True)

    def _put(self, target: Path, data: bytes) -> None:
        part = Part.create(self._parts, target)
        try:
            part.write(data)
            part.publish()
        finally:
            part.discard()

    def _walk(self, prefix: str) -> Iterator[ListedObject]:
        # The prefix may end within a name: walk its directory, compare the whole key.
        yield from self._walk_folder(prefix.rpartition("/")[0], prefix)

    def _walk_folder(self, folder: str, prefix: str) -> Iterator[ListedObject]:
        for name in self._names(folder):
            key = f"{folder}/{name}" if folder else name
            if not key.startswith(prefix[: len(key)]):
                continue
            if name.endswith("/"):
                yield from self._walk_folder(key.removesuffix("/"), prefix)
            elif key.startswith(prefix):
                with suppress(FileNotFoundError):
                    status = (self._root / key).stat()
                    info = _info(key, status)
                    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
                    yield ListedObject(key, info.size_bytes, info.etag, modified_at)

    def _names(self, folder: str) -> Sequence[str]:
        """Return what is in a folder by the order of keys, folders with their slash."""
        try:
            with os.scandir(self._root / folder) as found:
                return sorted(
                    f"{entry.name}/" if is_folder else entry.name
                    for entry in found
                    if (is_folder := entry.is_dir(follow_symlinks=False)) or entry.is_file()
                    if folder or entry.name != PARTS_DIRECTORY
                )
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _unfinished(self) -> Iterator[UnfinishedUpload]:
        for part in self._parts.glob("*.part"):
            with suppress(FileNotFoundError):
                status = part.stat()
                # Touched by every batch: what is written to is as young as its last one.
                begun_at = datetime.fromtimestamp(status.st_mtime, UTC)
                yield UnfinishedUpload(part.name, None, status.st_size, begun_at)

    def _delete(self, path: Path) -> bool:
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return False
        for directory in path.parents:
            if directory == self._root:
                break
            try:
                directory.rmdir()
            except OSError:  # not empty, or removed by somebody else
                break
        return True

    def _delete_prefix(self, prefix: str) -> int:
        return sum(self._delete(self._root / info.key) for info in [*self._walk(prefix)])


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    if not stat.S_ISREG(status.st_mode):
        raise ObjectNotFound(key)
    # The clock behind mtime ticks every few milliseconds; the inode tells apart two objects
    # of one size within a tick.
    etag = f'"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ino:x}"'
    return ObjectInfo(key=key, size_bytes=status.st_size, etag=etag)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Translate the errors of reading: no such file is no such object."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ObjectNotFound(key) from error
    except OSError as error:
        raise unavailable(error) from error
