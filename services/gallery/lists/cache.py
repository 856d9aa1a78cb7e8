"""Encoded photo lists, kept for seconds: what is kept under which key, and when it goes.

One load per key at a time, bounded, evicted by messages.
"""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from libs.common import tasks
from libs.common.messaging.messages import (
    AccountDeleted,
    MatchChanged,
    Message,
    PhotoAnalyzed,
    PhotoMatched,
    PhotoUploaded,
    PhotoVisibilityChanged,
    SelfieDeleted,
    SelfieMatched,
    SelfieUploaded,
)
from services.gallery import metrics
from services.gallery.lists.codings import Coding
from services.gallery.lists.list_page import ListPage
from services.gallery.web.paging import Page

#: What an entry costs beside its body: key, index, object headers.
ENTRY_OVERHEAD_BYTES = 600
#: A list larger than this part of the cache would push out everybody else's.
MAX_ENTRY_PART = 4

Load = asyncio.Task[ListPage | None]


class Scope(Enum):
    """Which of a participant's lists of an event."""

    #: The photos they are in.
    OWN = "own"
    #: The photos shown to everybody, each with whether they are in it.
    GENERAL = "general"
    #: The photos they may be in.
    UNCERTAIN = "uncertain"


class ListKey(NamedTuple):
    """One page of one list of one participant in one event."""

    event_id: int
    user_id: int
    scope: Scope
    page: Page


@dataclass(frozen=True, slots=True)
class Eviction:
    """Stale: the lists of `users` (None: everybody's), and all but own ones if `general`."""

    event_id: int
    users: frozenset[int] | None
    general: bool

    def __contains__(self, key: ListKey) -> bool:
        if key.event_id != self.event_id:
            return False
        if self.users is None or key.user_id in self.users:
            return True
        return self.general and key.scope is not Scope.OWN


def eviction_for(message: Message) -> Eviction:
    """Return what the message makes stale; what it cannot tell is taken as everything.

    A photo on its way through recognition changes every general list, and uncertain ones, but
    only the own lists of those it shows: while photos stream in, other guests' stay cached.
    """
    event_id = message.event_id
    match message:
        case PhotoUploaded() | PhotoAnalyzed() | PhotoVisibilityChanged():
            return Eviction(event_id, users=frozenset(), general=True)
        case PhotoMatched(user_ids=user_ids):
            return Eviction(event_id, users=frozenset(user_ids), general=True)
        case MatchChanged(user_ids=user_ids) if user_ids is not None:
            return Eviction(event_id, users=frozenset(user_ids), general=False)
        case (
            SelfieUploaded(user_id=user_id)
            | SelfieMatched(user_id=user_id)
            | SelfieDeleted(user_id=user_id)
            | AccountDeleted(user_id=user_id)
        ):
            return Eviction(event_id, users=frozenset({user_id}), general=False)
        case _:
            return Eviction(event_id, users=None, general=True)


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """What the cache did since the process started."""

    entries: int
    size_bytes: int
    hits: int
    misses: int


@dataclass(slots=True)
class _Entry:
    #: None: too long to be held.
    value: ListPage | None
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

    async def get(
        self, key: ListKey, work: Coroutine[Any, Any, ListPage | None]
    ) -> ListPage | None:
        """Return the list, None where it is too long to be held: kept, or by one load for all.

        `work` loads it, and is closed unused where the list is kept or somebody else loads it.
        What is loaded is kept, unless it is evicted meanwhile; that a list is too long, as well.
        """
        entry = self._find(key)
        if entry is not None:
            work.close()
            self._hit(key)
            return entry.value
        self._misses += 1
        metrics.LIST_CACHE_MISSES.inc()
        load = self._loads.get(key)
        if load is None:
            load = self._begin(key, work)
        else:
            work.close()
        # The load outlives a caller who goes away, as others may wait for it.
        return await asyncio.shield(load)

    def kept(self, key: ListKey, coding: Coding) -> ListPage | None:
        """Return the list if it is kept with its bytes in this coding."""
        entry = self._find(key)
        if entry is None or entry.value is None:
            return None
        if entry.value.coding(coding) not in entry.value.bodies:
            return None
        self._hit(key)
        return entry.value

    def recount(self, key: ListKey) -> None:
        """Note that the page's bytes were made in one more coding, or let go."""
        entry = self._entries.get(key)
        if entry is None or entry.value is None:
            return
        size_bytes = entry.value.held_bytes + ENTRY_OVERHEAD_BYTES
        if size_bytes != entry.size_bytes:
            self._size_bytes += size_bytes - entry.size_bytes
            entry.size_bytes = size_bytes
            self._make_room(0)

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
        await tasks.end(*self._running)

    def _find(self, key: ListKey) -> _Entry | None:
        entry = self._entries.get(key)
        return entry if entry is not None and entry.expires > self._clock() else None

    def _hit(self, key: ListKey) -> None:
        self._entries.move_to_end(key)
        self._hits += 1
        metrics.LIST_CACHE_HITS.inc()

    def _begin(self, key: ListKey, work: Coroutine[Any, Any, ListPage | None]) -> Load:
        load = asyncio.create_task(work, name="list-load")
        self._loads[key] = load
        self._keys_of_event[key.event_id].add(key)
        self._running.add(load)
        load.add_done_callback(partial(self._finish, key))
        return load

    def _finish(self, key: ListKey, load: Load) -> None:
        self._running.discard(load)
        # Nobody may be left to see an error; those who wait get it by themselves.
        failed = load.cancelled() or load.exception() is not None
        if self._loads.get(key) is not load:
            return
        del self._loads[key]
        if not failed:
            self._store(key, load.result())
        if key not in self._entries:
            self._unindex(key)

    def _store(self, key: ListKey, value: ListPage | None) -> None:
        former = self._entries.get(key)
        if value is not None and former is not None and former.value is not None:
            value.take_over(former.value)
        self._drop_entry(key)
        size_bytes = (0 if value is None else value.held_bytes) + ENTRY_OVERHEAD_BYTES
        if size_bytes > self._max_bytes // MAX_ENTRY_PART:
            return
        self._make_room(size_bytes)
        self._entries[key] = _Entry(value, self._clock() + self._ttl_seconds, size_bytes)
        self._size_bytes += size_bytes
        metrics.LIST_CACHE_BYTES.set(self._size_bytes)

    def _make_room(self, size_bytes: int) -> None:
        while self._entries and self._size_bytes + size_bytes > self._max_bytes:
            oldest = next(iter(self._entries))
            self._drop_entry(oldest)
            if oldest not in self._loads:
                self._unindex(oldest)
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
