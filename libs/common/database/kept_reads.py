"""Rows that hundreds of requests need, read by few statements and kept for some seconds."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

from libs.common import tasks

KEPT_AT_MOST = 20_000
#: Asked for in one statement.
ASKED_AT_ONCE = 500

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Known(NamedTuple, Generic[V]):
    """What was answered, and until when that counts."""

    #: None where there is nothing.
    value: V | None
    until: float


class KeptReads(Generic[K, V]):
    """Answers for many requests by few statements: one at a time, for all who wait by then.

    So a rush of guests, all of whom are asked for in the same moment, takes one connection.
    """

    def __init__(
        self,
        load: Callable[[Collection[K]], Awaitable[Mapping[K, V]]],
        *,
        name: str,
        kept_seconds: float,
        kept_at_most: int = KEPT_AT_MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` reads what there is of these keys; `name` is that of the task that asks it."""
        self._load = load
        self._name = name
        self._kept_seconds = kept_seconds
        self._kept_at_most = kept_at_most
        self._clock = clock
        self._kept: OrderedDict[K, Known[V]] = OrderedDict()
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._asked: dict[K, asyncio.Future[V | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def of(self, key: K) -> V | None:
        """Return what there is, None where there is nothing; raises what reading it raises."""
        known = self.known(key)
        if known is not None:
            return known.value
        self._missed(key)
        answer = self._asked.get(key) or self._waiting.get(key)
        if answer is None:
            answer = asyncio.get_running_loop().create_future()
            self._waiting[key] = answer
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._ask(), name=self._name)
        # Others may wait for it as well.
        return await asyncio.shield(answer)

    def known(self, key: K) -> Known[V] | None:
        """Return what was read lately."""
        kept = self._kept.get(key)
        return None if kept is None or kept.until <= self._clock() else kept

    def forget(self, *keys: K) -> None:
        """Read these anew, also those that are being read at this moment.

        Those may have been read before the change: whoever waits gets it, as they came before,
        but it is not kept.
        """
        for key in keys:
            self._asked.pop(key, None)
            self._drop(key)

    def forget_asked(self) -> None:
        """Read anew whatever is being read at this moment."""
        self._asked = {}

    def forget_all(self) -> None:
        """Read all anew: what tells of changes may have been missed."""
        self.forget_asked()
        self._kept.clear()

    async def close(self) -> None:
        """End what is being read."""
        if self._task is not None:
            await tasks.end(self._task)

    async def _ask(self) -> None:
        while self._waiting:
            batch = {key: self._waiting.pop(key) for key in list(self._waiting)[:ASKED_AT_ONCE]}
            self._asked = dict(batch)
            until = self._clock() + self._kept_seconds
            try:
                found = await self._load(batch)
            except asyncio.CancelledError:
                for answer in (*batch.values(), *self._waiting.values()):
                    answer.cancel()
                self._waiting.clear()
                raise
            except Exception as error:  # noqa: BLE001 - each who waits gets it
                for answer in batch.values():
                    answer.set_exception(error)
                    answer.exception()  # looked at: those who waited may be gone
            else:
                for key, answer in batch.items():
                    answer.set_result(found.get(key))
                for key in self._asked:
                    self._keep(key, Known(found.get(key), until))
                self._make_room()
            finally:
                self._asked = {}

    def _missed(self, key: K) -> None:
        """Be told of a request for what is not kept, before it waits for a read."""

    def _make_room(self) -> None:
        while len(self._kept) > self._kept_at_most:
            self._drop(next(iter(self._kept)))

    def _keep(self, key: K, known: Known[V]) -> None:
        self._drop(key)
        self._kept[key] = known

    def _drop(self, key: K) -> Known[V] | None:
        return self._kept.pop(key, None)
