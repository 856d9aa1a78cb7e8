import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from libs.common.errors import NotAllowed
from libs.common.messaging.messages import PhotoDeleted, PhotoMatched
from services.gallery.lists.cache import (
    ENTRY_OVERHEAD_BYTES,
    ListCache,
    ListKey,
    Scope,
    eviction_for,
)
from services.gallery.lists.codings import Coding
from services.gallery.lists.list_page import ListPage
from services.gallery.web.paging import Page

KEY = ListKey(1, 7, Scope.OWN, Page())
OTHER = ListKey(2, 7, Scope.OWN, Page())
EVERYTHING_OF_EVENT_1 = eviction_for(PhotoDeleted(event_id=1, photo_id=1, filename="a.jpg"))


Load = Callable[[], Coroutine[Any, Any, ListPage]]


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Source:
    """A list that changes at every load; loads wait while the gate is shut."""

    size: int = 1
    loads: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def load(self) -> ListPage:
        self.loads += 1
        body = str(self.loads).encode() * self.size
        await self.gate.wait()
        return ListPage.of_body(body)


async def ask(cache: ListCache, key: ListKey, load: Load) -> bytes:
    found = await cache.get(key, load())
    assert found is not None
    return await found.body(Coding.IDENTITY)


def cache_of(max_bytes: int = 1_000_000, clock: Clock | None = None) -> ListCache:
    return ListCache(max_bytes=max_bytes, ttl_seconds=30, clock=clock or Clock())


async def test_a_list_is_loaded_once_and_then_answered_from_memory() -> None:
    cache, source = cache_of(), Source()
    assert await ask(cache, KEY, source.load) is await ask(cache, KEY, source.load)
    assert source.loads == 1
    assert (cache.figures().hits, cache.figures().misses) == (1, 1)


async def test_a_list_is_loaded_again_when_its_time_is_over() -> None:
    clock, source = Clock(), Source()
    cache = cache_of(clock=clock)
    await ask(cache, KEY, source.load)
    clock.now += 29.9
    await ask(cache, KEY, source.load)
    assert source.loads == 1
    clock.now += 0.2
    assert await ask(cache, KEY, source.load) == b"2"


async def test_callers_at_the_same_time_share_one_load() -> None:
    cache, source = cache_of(), Source()
    source.gate.clear()
    callers = [asyncio.create_task(ask(cache, KEY, source.load)) for _ in range(20)]
    await asyncio.sleep(0)
    source.gate.set()
    assert set(await asyncio.gather(*callers)) == {b"1"}
    assert source.loads == 1


async def test_a_load_that_began_before_an_eviction_is_answered_but_not_kept() -> None:
    cache, source = cache_of(), Source()
    source.gate.clear()
    early = asyncio.create_task(ask(cache, KEY, source.load))
    await asyncio.sleep(0)
    cache.evict(EVERYTHING_OF_EVENT_1)
    late = asyncio.create_task(ask(cache, KEY, source.load))
    await asyncio.sleep(0)
    source.gate.set()
    assert (await early, await late) == (b"1", b"2")
    assert await ask(cache, KEY, source.load) == b"2"


async def test_a_load_that_began_before_a_clear_is_not_kept() -> None:
    cache, source = cache_of(), Source()
    source.gate.clear()
    early = asyncio.create_task(ask(cache, KEY, source.load))
    await asyncio.sleep(0)
    cache.clear()
    source.gate.set()
    await early
    assert await ask(cache, KEY, source.load) == b"2"


async def test_a_caller_who_goes_away_does_not_take_the_others_load_along() -> None:
    cache, source = cache_of(), Source()
    source.gate.clear()
    first = asyncio.create_task(ask(cache, KEY, source.load))
    second = asyncio.create_task(ask(cache, KEY, source.load))
    await asyncio.sleep(0)
    first.cancel()
    source.gate.set()
    assert await second == b"1"
    assert source.loads == 1


async def test_a_failed_load_fails_for_everybody_who_waits_and_is_not_kept() -> None:
    cache, source = cache_of(), Source()

    async def refuse() -> ListPage:
        raise NotAllowed("not yours")

    outcomes = await asyncio.gather(
        *(ask(cache, KEY, refuse) for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [NotAllowed] * 3
    assert await ask(cache, KEY, source.load) == b"1"


async def test_an_eviction_leaves_other_events_and_other_guests_lists() -> None:
    cache, source = cache_of(), Source()
    others = ListKey(1, 8, Scope.OWN, Page())
    for key in (KEY, OTHER, others):
        await ask(cache, key, source.load)
    cache.evict(eviction_for(PhotoMatched(event_id=1, photo_id=1, user_ids=(7,))))
    for key in (KEY, OTHER, others):
        await ask(cache, key, source.load)
    assert source.loads == 4


async def test_the_least_recently_used_list_goes_when_the_memory_is_full() -> None:
    source = Source(size=400)
    cache = cache_of(max_bytes=4 * (400 + ENTRY_OVERHEAD_BYTES))
    keys = [ListKey(1, user, Scope.OWN, Page()) for user in range(5)]
    for key in keys[:4]:
        await ask(cache, key, source.load)
    await ask(cache, keys[0], source.load)
    await ask(cache, keys[4], source.load)
    assert cache.figures().entries == 4
    await ask(cache, keys[0], source.load)
    assert source.loads == 5
    await ask(cache, keys[1], source.load)
    assert source.loads == 6


async def test_a_list_too_large_to_share_the_memory_is_answered_but_not_kept() -> None:
    source = Source(size=1000)
    cache = cache_of(max_bytes=2000)
    await ask(cache, KEY, source.load)
    assert cache.figures().size_bytes == 0
    await ask(cache, KEY, source.load)
    assert source.loads == 2


async def test_that_a_list_is_too_long_for_memory_is_kept_until_it_changes() -> None:
    cache, source, looks = cache_of(), Source(), []

    async def too_long() -> None:
        looks.append("look")

    assert await cache.get(KEY, too_long()) is None
    assert await cache.get(KEY, source.load()) is None
    assert (len(looks), source.loads) == (1, 0)
    cache.evict(EVERYTHING_OF_EVENT_1)
    assert await ask(cache, KEY, source.load) == b"1"


async def test_closing_ends_loads_on_their_way() -> None:
    cache, source = cache_of(), Source()
    source.gate.clear()
    caller = asyncio.create_task(ask(cache, KEY, source.load))
    await asyncio.sleep(0)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await caller
