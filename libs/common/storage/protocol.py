"""What an object store does for FindMe, whichever adapter does it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from libs.common.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from libs.common.storage.stored_file import StoredFile


class StoreUnavailable(Unavailable):
    """The store cannot be reached, or is out of space; nothing was kept of the request."""


class ObjectNotFound(NotFound):
    """There is no object at that key."""

    def __init__(self, key: str) -> None:
        super().__init__("object", key)


class StoreFull(StoreUnavailable):
    """The store has no room, or none but what is kept free; it is not over in a few seconds."""

    def __init__(self, message: str, *, retry_after_seconds: int = 60) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object without reading it; `etag` is quoted, as HTTP wants it."""

    key: str
    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class ListedObject(ObjectInfo):
    """What a list says of an object."""

    modified_at: datetime


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """What was written of an object that was never committed; `key` is None where it is lost."""

    name: str
    key: str | None
    size_bytes: int
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class AnswerHeaders:
    """What a store says of an object when it answers somebody by itself."""

    content_type: str
    content_disposition: str
    cache_control: str


#: Bytes, or a look at a buffer that is not changed until they are written.
Buffer = bytes | bytearray | memoryview
Beside = Callable[[memoryview], None]


class ObjectWriter(Protocol):
    """An object being written; nobody sees it before `commit`, and nothing is left without."""

    async def write(self, data: Buffer, *, beside: Beside | None = None) -> None:
        """Append bytes; memory in use stays bounded however much is written.

        `beside` is called with them in the thread that writes them, or in another: whoever hashes a
        megabyte, too, enters a thread for it only once.
        """

    async def commit(self) -> None:
        """Make the whole object visible at once, replacing what was at the key."""

    async def commit_as(self, key: str) -> None:
        """Make what was written visible at another key instead: it is not what it was to be."""


class ObjectStore(Protocol):
    """Binary objects under slash-separated keys.

    Every method raises Unavailable when it cannot do its work now: StoreUnavailable for the
    store's reasons, Exhausted where this machine has no more of something.
    """

    def create(self, key: str, *, content_type: str) -> AbstractAsyncContextManager[ObjectWriter]:
        """Open a writer; leaving the block without `commit` discards what was written."""

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Write a small object at once."""

    async def stat(self, key: str) -> ObjectInfo:
        """Raises ObjectNotFound."""

    async def get(self, key: str) -> bytes:
        """Read a small object whole. Raises ObjectNotFound."""

    async def get_object(self, key: str) -> tuple[ObjectInfo, bytes]:
        """Read a small object whole, and what `stat` says of it, with one request.

        Raises ObjectNotFound.
        """

    def read(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Stream bytes `start` (included) to `end` (excluded), in pieces of up to 256 KB.

        Close it (`contextlib.aclosing`) when you stop early: it may hold a connection.

        Raises ObjectNotFound at the first piece.
        """

    def open_file(self, key: str) -> "StoredFile | None":
        """Return the object's open file, to be closed; None where objects are no files.

        Raises ObjectNotFound.
        """

    async def presigned_url(
        self, key: str, *, valid_seconds: int, headers: AnswerHeaders
    ) -> str | None:
        """Return where the store itself gives the object to whoever asks, for so long.

        None where it answers nobody: a folder. Whether the object is there is not looked at.
        """

    def local_file(self, key: str) -> AbstractAsyncContextManager[Path]:
        """The object as a file that native code can open; it may be gone after the block.

        Whether it is what was uploaded, `whole_file` says. Raises ObjectNotFound.
        """

    def list(self, prefix: str) -> AsyncIterator[ListedObject]:
        """All objects whose key starts with the prefix, in the order of their keys' letters."""

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    async def delete_prefix(self, prefix: str) -> int:
        """Remove all objects under a prefix that ends in a slash; return how many."""

    def unfinished(self) -> AsyncIterator[UnfinishedUpload]:
        """Uploads that were not committed: those in hand, and those whose writer has died."""

    async def discard(self, upload: UnfinishedUpload) -> None:
        """Remove what was written of an upload; one that is not there is no error."""

    async def free_bytes(self) -> int | None:
        """Return how many bytes may be written still; None where nobody knows."""

    async def check(self) -> None:
        """Raise StoreUnavailable when the store cannot be used now."""
