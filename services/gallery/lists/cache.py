"""Encoded photo lists, kept for seconds: one load per key at a time, bounded, evicted by event."""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.gallery import metrics
from services.gallery.lists.encode import EncodedList
from services.gallery.lists.rules import Eviction, ListKey

#: What an entry costs beside its body: key, index, object headers.
ENTRY_OVERHEAD_BYTES = 600
#: A list larger than this part of the cache would push out everybody else's.
MAX_ENTRY_PART = 4

Load = asyncio.Task[EncodedList | None]


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """What the cache did since the process started."""

    entries: int
    size_bytes: int
    hits: int
    misses: int


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
        self._loads: dict[ListKey, Load] = {}
        self._running: set[Load] = set()
        self._keys_of_event: defaultdict[int, set[ListKey]] = defaultdict(set)
        self._size_bytes = 0
        self._hits = 0
        self._misses = 0

    def find(self, key: ListKey) -> EncodedList | None:
        """Return the list if it is kept, and not too old."""
        entry = self._entries.get(key)
        if entry is not None and entry.expires > self._clock():
            self._entries.move_to_end(key)
            self._hits += 1
            metrics.LIST_CACHE_HITS.inc()
            return entry.value
        self._misses += 1
        metrics.LIST_CACHE_MISSES.inc()
        return None

    def load_under_way(self, key: ListKey) -> Load | None:
        """Return the load of the list that somebody else began, to wait for its result."""
        return self._loads.get(key)

    def begin(self, key: ListKey, work: Coroutine[Any, Any, EncodedList | None]) -> Load:
        """Begin to load the list, and keep it unless it is evicted meanwhile.

        The load outlives a caller who goes away, as others may wait for it: wait with `shield`.
        None for a list that is too long to be kept.
        """
        load = asyncio.create_task(work, name="list-load")
        self._loads[key] = load
        self._keys_of_event[key.event_id].add(key)
        self._running.add(load)
        load.add_done_callback(partial(self._finish, key))
        return load

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

    def _finish(self, key: ListKey, load: Load) -> None:
        self._running.discard(load)
        # Nobody may be left to see an error; those who wait get it by themselves.
        value = None if load.cancelled() or load.exception() else load.result()
        if self._loads.get(key) is not load:
            return
        del self._loads[key]
        if value is not None:
            self._store(key, value)
        if key not in self._entries:
            self._unindex(key)

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
