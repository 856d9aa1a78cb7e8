"""Whether a login still stands: rows of the database, kept for a few seconds.

A message about the account ends what is kept at once; without messages it ends by its age.
"""

import asyncio
import time
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, NamedTuple, Protocol, TypeVar

from libs.common import tasks
from libs.common.telemetry import metrics

#: How long a login may outlive its end where no message tells of it.
KEPT_SECONDS = 5.0
KEPT_AT_MOST = 20_000
#: Asked for in one statement.
ASKED_AT_ONCE = 500


class Status(Protocol):
    """What an account may do by something that stands for it."""

    @property
    def user_id(self) -> int: ...


S = TypeVar("S", bound=Status)


class Known(NamedTuple, Generic[S]):
    """What was answered, and until when that counts."""

    #: None for what has ended.
    status: S | None
    until: float


class Statuses(Generic[S]):
    """Answers for many requests by few statements: one at a time, for all who wait by then."""

    def __init__(
        self,
        load: Callable[[Collection[uuid.UUID]], Awaitable[Mapping[uuid.UUID, S]]],
        *,
        kept_seconds: float = KEPT_SECONDS,
        kept_at_most: int = KEPT_AT_MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._kept_seconds = kept_seconds
        self._kept_at_most = kept_at_most
        self._clock = clock
        self._kept: OrderedDict[uuid.UUID, Known[S]] = OrderedDict()
        self._of_user: defaultdict[int, set[uuid.UUID]] = defaultdict(set)
        self._waiting: dict[uuid.UUID, asyncio.Future[S | None]] = {}
        self._asked: dict[uuid.UUID, asyncio.Future[S | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def of(self, key: uuid.UUID) -> S | None:
        """Return the status, None when it has ended; raises what asking for it raises."""
        known = self.known(key)
        if known is not None:
            return known.status
        metrics.ACCOUNT_STATUS_MISSES.inc()
        answer = self._asked.get(key) or self._waiting.get(key)
        if answer is None:
            answer = asyncio.get_running_loop().create_future()
            self._waiting[key] = answer
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._ask(), name="account statuses")
        # Others may wait for it as well.
        return await asyncio.shield(answer)

    def known(self, key: uuid.UUID) -> Known[S] | None:
        """Return the status if it was asked for lately."""
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._clock():
            return None
        metrics.ACCOUNT_STATUS_HITS.inc()
        return kept

    def forget(self, user_id: int) -> None:
        """Ask again about this account, and about what is being asked at this moment."""
        # That may have been read before the change: whoever waits gets it, as they came before,
        # but it is not kept.
        self._asked = {}
        for key in list(self._of_user.get(user_id, ())):
            self._drop(key)

    def forget_all(self) -> None:
        """Messages may have been missed."""
        self._asked = {}
        self._kept.clear()
        self._of_user.clear()

    async def close(self) -> None:
        """End what is being asked."""
        if self._task is not None:
            await tasks.end(self._task)

    async def _ask(self) -> None:
        while self._waiting:
            batch = {key: self._waiting.pop(key) for key in list(self._waiting)[:ASKED_AT_ONCE]}
            self._asked = asked = dict(batch)
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
                if self._asked is asked:
                    self._keep({key: found.get(key) for key in batch}, until)
            finally:
                self._asked = {}

    def _keep(self, found: Mapping[uuid.UUID, S | None], until: float) -> None:
        for key, status in found.items():
            self._drop(key)
            self._kept[key] = Known(status, until)
            if status is not None:
                self._of_user[status.user_id].add(key)
        while len(self._kept) > self._kept_at_most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: uuid.UUID) -> None:
        kept = self._kept.pop(key, None)
        if kept is None or kept.status is None:
            return
        status = kept.status
        keys = self._of_user[status.user_id]
        keys.discard(key)
        if not keys:
            del self._of_user[status.user_id]
