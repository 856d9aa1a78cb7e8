"""Photos of archives that are read before their turn: in order, bounded, and never left behind."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from services.media.archives.ahead import PHOTOS, PIECES, ReadAhead, Turns
from tests.support.polling import eventually

ALBUM: list[bytes | str] = [b"head", "a", b"head", "b", "c", b"head", "d", "e", "f", b"end"]


@dataclass
class Store:
    """Gives each photo in ten pieces; counts those that are being read."""

    reading: int = 0
    most: int = 0
    given: dict[str, int] = field(default_factory=dict)
    fails_at: str = ""

    async def read(self, name: str) -> AsyncGenerator[bytes, None]:
        self.reading += 1
        self.most = max(self.most, self.reading)
        try:
            for number in range(10):
                await asyncio.sleep(0)
                if name == self.fails_at and number == 5:
                    raise ConnectionError(name)
                self.given[name] = number + 1
                yield f"{name}{number}".encode()
        finally:
            self.reading -= 1


def photos(names: list[bytes | str]) -> list[bytes]:
    return [
        piece
        for name in names
        for piece in (
            [name] if isinstance(name, bytes) else [f"{name}{n}".encode() for n in range(10)]
        )
    ]


async def nothing(_: str) -> None:
    pass


def ahead(store: Store, turns: int) -> tuple[ReadAhead[str], Turns]:
    left = Turns(turns)
    return ReadAhead(iter(ALBUM), store.read, left), left


async def take(
    reading: ReadAhead[str], before: Callable[[str], Awaitable[None]], received: list[bytes]
) -> None:
    async with reading as opened:
        async for piece in opened.each(before):
            received.append(piece)  # noqa: PERF401 - what came before an error counts


def left_of(turns: Turns) -> int:
    count = 0
    while turns.take():
        count += 1
    return count


@pytest.mark.parametrize(("turns", "most"), [(0, 1), (1, 2), (100, PHOTOS)])
async def test_all_comes_in_its_order(turns: int, most: int) -> None:
    store = Store()
    reading, left = ahead(store, turns)
    async with reading as opened:
        assert [piece async for piece in opened.each(nothing)] == photos(ALBUM)
    assert store.most == most
    assert (store.reading, left_of(left)) == (0, turns)


async def test_what_is_read_ahead_is_a_few_pieces_of_a_few_photos() -> None:
    store = Store()
    reading, left = ahead(store, 100)
    async with reading as opened, aclosing(opened.each(nothing)) as pieces:
        assert [await anext(pieces), await anext(pieces)] == [b"head", b"a0"]
        # One is held by the task that cannot put it.
        await eventually(lambda: store.given.get("c") == PIECES + 1)
        assert store.given == {"a": PIECES + 2, "b": PIECES + 1, "c": PIECES + 1}
    assert (store.reading, left_of(left)) == (0, 100)


@pytest.mark.parametrize("turns", [0, 100])
async def test_a_photo_that_fails_is_told_in_its_turn(turns: int) -> None:
    store = Store(fails_at="c")
    reading, left = ahead(store, turns)
    received: list[bytes] = []
    with pytest.raises(ConnectionError):
        await take(reading, nothing, received)
    assert received == photos([b"head", "a", b"head", "b"]) + photos(["c"])[:5]
    assert (store.reading, left_of(left)) == (0, turns)


async def test_who_may_not_go_on_gets_no_further_photo() -> None:
    store = Store()
    reading, left = ahead(store, 100)
    asked = 0

    async def twice(_: str) -> None:
        nonlocal asked
        asked += 1
        if asked > 2:
            raise PermissionError

    received: list[bytes] = []
    with pytest.raises(PermissionError):
        await take(reading, twice, received)
    assert received == photos(ALBUM[:4])
    assert (store.reading, left_of(left)) == (0, 100)


async def test_a_reader_that_is_cancelled_leaves_nothing_behind() -> None:
    store = Store()
    reading, left = ahead(store, 100)
    began = asyncio.Event()

    async def take_one() -> None:
        async with reading as opened, aclosing(opened.each(nothing)) as pieces:
            async for _ in pieces:
                began.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(take_one())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: store.reading == 0)
    assert left_of(left) == 100
