"""How often a task has overwhelmed workers, for tasks that have no row to count it in."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

K = TypeVar("K", bound=Hashable)
#: What is forgotten was long ago, and begins anew.
REMEMBERED = 1000


class Strikes(Generic[K]):
    """Counts in memory, up to `limit` times for each task."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: LRUCache[K, int] = LRUCache(REMEMBERED)

    def is_out(self, task: K) -> bool:
        """Count once more; return whether that is the limit."""
        self._counts[task] = self._counts.get(task, 0) + 1
        return self._counts[task] >= self._limit

    def forget(self, task: K) -> None:
        """It has been done."""
        self._counts.pop(task, None)
