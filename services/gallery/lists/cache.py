"""Encoded photo lists, kept for seconds: one load per key at a time, bounded, evicted by event."""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.gallery import metrics
from services.gallery.lists.eviction import Eviction, ListKey

#: What an entry costs beside its body: key, index, object headers.
ENTRY_OVERHEAD_BYTES = 600
#: A list larger than this part of the cache would push out everybody else's.
MAX_ENTRY_PART = 4


@dataclass(frozen=True, slots=True)
class EncodedList:
    """A list ready to be sent; `next_cursor` is None on the last page."""

    body: bytes
    etag: str
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """What the cache did since the process started."""

    entries: int
    size_bytes: int
    hits: int
    misses: int


Load = Callable[[], Awaitable[EncodedList]]


@dataclass(frozen=True, slots=True)
class _Entry:
    value: EncodedList
    expires: float
    size_bytes: int


class ListCache:
    """Least recently used goes first; nothing is older than `ttl_seconds`."""

    def __init__(
        self,
        *,
        max_bytes: int,
        ttl_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._entries: OrderedDict[ListKey, _Entry] = OrderedDict()
        self._loads: dict[ListKey, asyncio.Task[EncodedList]] = {}
        self._running: set[asyncio.Task[EncodedList]] = set()
        self._keys_of_event: defaultdict[int, set[ListKey]] = defaultdict(set)
        self._size_bytes = 0
        self._hits = 0
        self._misses = 0

    async def get(self, key: ListKey, load: Load) -> EncodedList:
        """Return the cached list, join a load of it that is on its way, or load it."""
        entry = self._entries.get(key)
        if entry is not None and entry.expires > self._clock():
            self._entries.move_to_end(key)
            self._hits += 1
            metrics.LIST_CACHE_HITS.inc()
            return entry.value
        self._misses += 1
        metrics.LIST_CACHE_MISSES.inc()
        task = self._loads.get(key)
        if task is None:
            task = self._start(key, load)
        # The load outlives a caller who goes away: others may wait for it.
        return await asyncio.shield(task)

    def evict(self, eviction: Eviction) -> None:
        """Forget the lists a message has made stale.

        Loads on their way are let go as well: who waits for one gets it (they asked before
        the change), but it is not kept, and whoever asks from now on reads anew.
        """
        keys = [key for key in self._keys_of_event.get(eviction.event_id, ()) if key in eviction]
        for key in keys:
            self._forget(key)

    def clear(self) -> None:
        """Forget everything, loads on their way included."""
        for key in [*self._entries, *self._loads]:
            self._forget(key)

    def figures(self) -> CacheFigures:
        """Return size, hits and misses."""
        return CacheFigures(len(self._entries), self._size_bytes, self._hits, self._misses)

    async def close(self) -> None:
        """Cancel loads on their way."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _start(self, key: ListKey, load: Load) -> asyncio.Task[EncodedList]:
        async def run() -> EncodedList:
            value = await load()
            if self._loads.get(key) is task:
                self._store(key, value)
            return value

        def finish(done: asyncio.Task[EncodedList]) -> None:
            self._running.discard(done)
            if self._loads.get(key) is done:
                del self._loads[key]
                if key not in self._entries:
                    self._unindex(key)
            if not done.cancelled():
                # Nobody may be left to see it; those who wait get it by themselves.
                done.exception()

        task = asyncio.create_task(run(), name="list-load")
        self._loads[key] = task
        self._keys_of_event[key.event_id].add(key)
        self._running.add(task)
        task.add_done_callback(finish)
        return task

    def _store(self, key: ListKey, value: EncodedList) -> None:
        self._drop_entry(key)
        size_bytes = len(value.body) + ENTRY_OVERHEAD_BYTES
        if size_bytes > self._max_bytes // MAX_ENTRY_PART:
            return
        while self._size_bytes + size_bytes > self._max_bytes:
            oldest = next(iter(self._entries))
            self._drop_entry(oldest)
            if oldest not in self._loads:
                self._unindex(oldest)
        self._entries[key] = _Entry(value, self._clock() + self._ttl_seconds, size_bytes)
        self._size_bytes += size_bytes
        metrics.LIST_CACHE_BYTES.set(self._size_bytes)

    def _forget(self, key: ListKey) -> None:
        self._drop_entry(key)
        self._loads.pop(key, None)
        self._unindex(key)

    def _drop_entry(self, key: ListKey) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size_bytes -= entry.size_bytes
            metrics.LIST_CACHE_BYTES.set(self._size_bytes)

    def _unindex(self, key: ListKey) -> None:
        keys = self._keys_of_event.get(key.event_id)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._keys_of_event[key.event_id]
