"""Local copies: so many fetched at once, so many bytes in all, first come, first served."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from libs.common.storage.fetches import Fetches
from libs.common.storage.folder import FolderStore
from libs.common.storage.protocol import ObjectNotFound
from libs.common.storage.whole_file import Content
from tests.support.polling import eventually


class SlowStore(FolderStore):
    """Gives a local file when the test says so."""

    def __init__(self, root: Path, *, is_read_only: bool = False) -> None:
        super().__init__(root, is_read_only=is_read_only)
        self.root = root
        self.asked: list[str] = []
        self.may_give = asyncio.Semaphore(0)

    @asynccontextmanager
    async def local_file(self, key: str) -> AsyncIterator[Path]:
        self.asked.append(key)
        await self.may_give.acquire()
        async with super().local_file(key) as path:
            yield path


@pytest.fixture
async def store(tmp_path: Path) -> SlowStore:
    store = await SlowStore.open(tmp_path)
    assert isinstance(store, SlowStore)
    return store


class Users:
    """Tasks that use a file each until they are told to end."""

    def __init__(self, store: SlowStore, *, at_once: int, max_bytes: int) -> None:
        self._store = store
        self.fetches = Fetches(store, at_once=at_once, max_bytes=max_bytes)
        self._may_end = {key: asyncio.Event() for key in "abcde"}
        self.using: Counter[str] = Counter()

    def begin(self, key: str, size_bytes: int) -> asyncio.Task[None]:
        data = key.encode() * size_bytes
        (self._store.root / key).write_bytes(data)
        return asyncio.create_task(self._use(key, data))

    def end(self, *keys: str) -> None:
        for key in keys:
            self._may_end[key].set()

    async def _use(self, key: str, data: bytes) -> None:
        uploaded = Content(len(data), hashlib.sha256(data).digest())
        async with self.fetches.whole_file(key, uploaded) as path:
            assert path.read_bytes() == data
            self.using[key] += 1
            await self._may_end[key].wait()
            self.using[key] -= 1

    @property
    def now(self) -> str:
        return "".join(sorted(self.using.elements()))


async def test_so_many_are_fetched_at_once_and_more_are_used(store: SlowStore) -> None:
    users = Users(store, at_once=2, max_bytes=1000)
    tasks = [users.begin(key, 1) for key in "abcd"]
    await eventually(lambda: store.asked == ["a", "b"])
    store.may_give.release()
    await eventually(lambda: users.now == "a" and store.asked == ["a", "b", "c"])
    for _ in range(3):
        store.may_give.release()
    await eventually(lambda: users.now == "abcd")
    users.end(*"abcd")
    await asyncio.gather(*tasks)


async def test_what_is_fetched_and_used_takes_no_more_than_the_room(store: SlowStore) -> None:
    users = Users(store, at_once=5, max_bytes=100)
    for _ in range(5):
        store.may_give.release()
    tasks = [users.begin("a", 50), users.begin("b", 40)]
    await eventually(lambda: users.now == "ab")
    # The large one is not overtaken by the small one for ever: it came first.
    tasks += [users.begin("c", 80), users.begin("d", 5)]
    users.end("b")
    await eventually(lambda: users.now == "a")
    assert store.asked == ["a", "b"]
    users.end("a")
    await eventually(lambda: users.now == "cd")
    users.end("c", "d")
    await asyncio.gather(*tasks)


async def test_what_is_larger_than_all_room_comes_alone(store: SlowStore) -> None:
    users = Users(store, at_once=5, max_bytes=100)
    for _ in range(5):
        store.may_give.release()
    tasks = [users.begin("a", 1)]
    await eventually(lambda: users.now == "a")
    tasks += [users.begin("b", 5000), users.begin("c", 1)]
    users.end("a")
    await eventually(lambda: users.now == "b")
    assert store.asked == ["a", "b"]
    users.end("b")
    await eventually(lambda: users.now == "c")
    users.end("c")
    await asyncio.gather(*tasks)


async def test_a_fetch_that_fails_or_is_cancelled_gives_its_room_and_its_turn_back(
    store: SlowStore,
) -> None:
    users = Users(store, at_once=1, max_bytes=100)
    for _ in range(3):
        cancelled = users.begin("a", 100)
        await eventually(lambda: len(store.asked) % 2 == 1)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        store.may_give.release()
        with pytest.raises(ObjectNotFound):
            async with users.fetches.whole_file("missing", Content(100, b"a digest")):
                pass
    store.may_give.release()
    last = users.begin("b", 100)
    await eventually(lambda: users.now == "b")
    users.end("b")
    await last


async def test_who_is_cancelled_while_it_waits_for_room_leaves_the_line(store: SlowStore) -> None:
    users = Users(store, at_once=5, max_bytes=100)
    for _ in range(3):
        store.may_give.release()
    first = users.begin("a", 100)
    await eventually(lambda: users.now == "a")
    waiting, behind = users.begin("b", 100), users.begin("c", 100)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    users.end("a")
    await eventually(lambda: users.now == "c")
    users.end("c")
    await asyncio.gather(first, behind)
