"""Objects on their way into a backup or out of it, or checked in it, and who is told how far."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Protocol, TypeVar

import orjson

from backup.repository import NamedObject
from libs.common.storage.protocol import ObjectNotFound, ObjectStore

#: Objects in hand at the same time.
AT_ONCE = 8

T = TypeVar("T")


class Steps(Protocol):
    """Told of steps, one after the other."""

    def begin(self, what: str, total_bytes: int | None = None) -> None:
        """The step before is done, this one begins."""

    def advance(self, size: int) -> None:
        """So many bytes more of the step are done."""


class WrongContent(Exception):
    """An object is not what its row says."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do the work for every item, some at the same time; the first error ends it all."""
    iterator = iter(items)

    async def worker() -> None:
        for item in iterator:
            await work(item)

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(AT_ONCE):
                workers.create_task(worker())
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group


async def copy_object(named: NamedObject, source: ObjectStore, target: ObjectStore) -> None:
    """Copy an object, checked on the way. Raises ObjectNotFound, WrongContent."""
    digest = hashlib.sha256()
    async with (
        target.create(named.key, content_type=named.content_type) as writer,
        aclosing(source.read(named.key)) as pieces,
    ):
        async for piece in pieces:
            digest.update(piece)
            await writer.write(piece)
        if digest.hexdigest() != named.sha256:
            raise WrongContent(named.key)
        await writer.commit()


async def is_intact(named: NamedObject, store: ObjectStore) -> bool:
    """Whether the object is there with the content that it had."""
    digest = hashlib.sha256()
    try:
        async for piece in store.read(named.key):
            digest.update(piece)
    except ObjectNotFound:
        return False
    return digest.hexdigest() == named.sha256


async def has(named: NamedObject, store: ObjectStore) -> bool:
    """Whether the object is there in its size: objects never change under their keys."""
    try:
        return (await store.stat(named.key)).size_bytes == named.size
    except ObjectNotFound:
        return False


def read_list(path: Path) -> Iterator[NamedObject]:
    """Yield the objects of a list, a line for each."""
    with path.open("rb") as file:
        for line in file:
            yield NamedObject(**orjson.loads(line))
