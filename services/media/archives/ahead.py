"""Reads the next photos of an archive while one is sent.

A store over the network takes 10 to 50 ms until a photo's first byte: one after the other, that is
20 to 100 photos a second, however fast the network is. A folder answers at once, and needs none.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Final, Generic, TypeVar

from libs.common import tasks

#: Photos that are read at once, and pieces of 256 KB of each that are held: 3 MB in all.
PHOTOS: Final = 3
PIECES: Final = 4

T = TypeVar("T")
#: Reads what one thing has to give.
Read = Callable[[T], AsyncGenerator[bytes, None]]


class Turns:
    """How many photos a process reads before their turn; there may be none."""

    def __init__(self, count: int) -> None:
        self._left = count

    def take(self) -> bool:
        """Whether there was one, which is to be given back."""
        if not self._left:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Leave it to others."""
        self._left += 1


class ReadAhead(Generic[T]):
    """Gives records and photos in their order; leave the block, and nothing is read any more."""

    def __init__(self, pieces: Iterator[bytes | T], read: Read[T], turns: Turns) -> None:
        self._pieces = pieces
        self._read = read
        self._turns = turns
        #: What comes next, and what reads it where that has begun.
        self._next: deque[tuple[bytes | T, _Reader | None]] = deque()
        self._begun = 0

    async def __aenter__(self) -> "ReadAhead[T]":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end([reader for _, reader in self._next if reader is not None])

    async def each(self, before: Callable[[T], Awaitable[None]]) -> AsyncGenerator[bytes, None]:
        """Yield all bytes; `before` each photo is asked whether it may be sent."""
        while (found := self._take()) is not None:
            piece, reader = found
            if isinstance(piece, bytes):
                yield piece
                continue
            try:
                await before(piece)
                parts = self._read(piece) if reader is None else reader.pieces()
                async with aclosing(parts):
                    async for part in parts:
                        yield part
            finally:
                if reader is not None:
                    await self._end([reader])

    def _take(self) -> tuple[bytes | T, "_Reader | None"] | None:
        """Return what is next, once what comes after it is being read."""
        first = self._next.popleft() if self._next else None
        if first is None and (piece := next(self._pieces, None)) is not None:
            first = (piece, None)
        # Records stand between them.
        while self._begun < PHOTOS and len(self._next) < 2 * PHOTOS:
            if (piece := next(self._pieces, None)) is None:
                break
            reader = None
            if not isinstance(piece, bytes) and self._turns.take():
                reader = _Reader(self._read(piece))
                self._begun += 1
            self._next.append((piece, reader))
        return first

    async def _end(self, readers: "list[_Reader]") -> None:
        for _ in readers:
            self._begun -= 1
            self._turns.give_back()
        await tasks.end(*(reader.task for reader in readers))


class _Reader:
    """A photo that is read by a task of its own, a few pieces before they are taken."""

    def __init__(self, source: AsyncGenerator[bytes, None]) -> None:
        self._queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(PIECES)
        self.task = asyncio.create_task(self._fill(source), name="read-ahead")

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield them. Raises what reading them raised."""
        while (piece := await self._queue.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def _fill(self, source: AsyncGenerator[bytes, None]) -> None:
        try:
            async with aclosing(source):
                async for piece in source:
                    await self._queue.put(piece)
            await self._queue.put(None)
        except Exception as error:  # noqa: BLE001 - raised where the pieces are taken
            await self._queue.put(error)
