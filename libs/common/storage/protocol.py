"""What an object store does for FindMe, whichever adapter does it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from libs.common.errors import NotFound, Unavailable


class StoreUnavailable(Unavailable):
    """The store cannot be reached, or is out of space; nothing was kept of the request."""


class ObjectNotFound(NotFound):
    """There is no object at that key."""

    def __init__(self, key: str) -> None:
        super().__init__("object", key)


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object without reading it; `etag` is quoted, as HTTP wants it."""

    key: str
    size_bytes: int
    etag: str


class ObjectWriter(Protocol):
    """An object being written; nobody sees it before `commit`, and nothing is left without."""

    async def write(self, data: bytes) -> None:
        """Append bytes; memory in use stays bounded however much is written."""

    async def commit(self) -> None:
        """Make the whole object visible at once, replacing what was at the key."""


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

    def read(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Stream bytes `start` (included) to `end` (excluded), in pieces of up to 256 KB.

        Close it (`contextlib.aclosing`) when you stop early: it may hold a connection.

        Raises ObjectNotFound at the first piece.
        """

    def local_file(self, key: str) -> AbstractAsyncContextManager[Path]:
        """The object as a file that native code can open; it may be gone after the block.

        Whether it is what was uploaded, `whole_file` says. Raises ObjectNotFound.
        """

    def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """All objects whose key starts with the prefix, in no order."""

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    async def delete_prefix(self, prefix: str) -> int:
        """Remove all objects under a prefix that ends in a slash; return how many."""

    async def check(self) -> None:
        """Raise StoreUnavailable when the store cannot be used now."""
