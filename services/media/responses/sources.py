"""What an answer's bytes come from: a stored object, or what is put together of one."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Protocol

from libs.common.storage.protocol import ObjectInfo, ObjectStore, StoreUnavailable
from libs.common.storage.stored_file import StoredFile


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` (included) to `end` (excluded) of a stored object."""

    start: int
    end: int


class Source(Protocol):
    """An object to be sent; it may be made of parts of a stored one."""

    @property
    def info(self) -> ObjectInfo:
        """What is sent: its size, its tag, and the key that it is read from."""

    def read(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """As `ObjectStore.read`."""

    def spans(self, start: int, end: int) -> Iterator[Span | bytes]:
        """Return of what these bytes are: spans of the stored object, and bytes between them."""

    def open_file(self) -> StoredFile | None:
        """Return the stored object's open file, None where objects are no files.

        Raises ObjectNotFound, and StoreUnavailable where another object has taken its place.
        """


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it lies in the store."""

    store: ObjectStore
    info: ObjectInfo

    def read(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """As `Source`."""
        return self.store.read(self.info.key, start=start, end=end)

    def spans(self, start: int, end: int) -> Iterator[Span | bytes]:
        """As `Source`."""
        yield Span(start, end)

    def open_file(self) -> StoredFile | None:
        """As `Source`."""
        return open_same(self.store, self.info)


class NotOfFile:
    """A source whose bytes are not parts of one file."""

    __slots__ = ()

    def spans(self, start: int, end: int) -> Iterator[Span | bytes]:
        """As `Source`: there are none."""
        del start, end
        return iter(())

    def open_file(self) -> None:
        """As `Source`."""


@dataclass(frozen=True, slots=True)
class LoadedObject(NotOfFile):
    """A small object that was read with the request that told of it."""

    info: ObjectInfo
    content: bytes

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """As `Source`."""
        yield self.content[start:end]


def open_same(store: ObjectStore, info: ObjectInfo) -> StoredFile | None:
    """Return the open file of the object that is meant, and of no later one at its key."""
    file = store.open_file(info.key)
    if file is not None and file.info.etag != info.etag:
        file.close()
        raise StoreUnavailable("The photo was replaced while it was being sent.")
    return file
