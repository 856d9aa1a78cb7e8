"""Refuses what is too much, by account, address and code (see `budgets.py`)."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, TypeVar

import structlog
from cachetools import TTLCache
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import SlidingWindowCounterSupport
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.errors import TooManyRequests
from libs.common.limits.budgets import BUDGETS, FAMILIAR, Budget, Count
from libs.common.limits.storage import LocalWindows, SharedWindows
from libs.common.limits.windows import seconds_until_room
from libs.common.signing_keys import Purpose, SigningKeys
from libs.common.telemetry import metrics

#: A database that does not answer by then keeps nobody waiting, and is left alone for a while.
SHARED_SECONDS = 5.0
LEFT_ALONE_SECONDS = 10.0
SWEEP_EVERY_SECONDS = 60.0
#: Whoever comes later is refused: their turn would come when they have gone.
MAX_WAITING_GUESSES = 500
#: Who is familiar is not written again for so long, by one process.
MAX_REMEMBERED, REMEMBERED_SECONDS = 20_000, 24 * 3600.0

log = structlog.get_logger(__name__)
# There from the start: of a counter that appears with its first refusal, no rate shows it.
for _budget in BUDGETS:
    metrics.REFUSED_BY_LIMIT.labels(_budget.name)

T = TypeVar("T")
_Strategy = SlidingWindowCounterRateLimiter


@dataclass(slots=True)
class Guess:
    """Somebody tries what they may not know: a password, a code."""

    #: Whether there were misses before that still count.
    was_missed_before: bool = False
    has_missed: bool = False

    def missed(self) -> None:
        """Count it."""
        self.has_missed = True


class Limiter:
    """Counts against budgets. Where the database is away, this process counts by itself.

    So limits never are the reason of an outage, and never fail open: at worst as many pass as
    there are processes.
    """

    def __init__(
        self,
        database: Database,
        *,
        keys: SigningKeys,
        scale: float = 1.0,
        budgets: Iterable[Budget] = BUDGETS,
    ) -> None:
        self._storage = SharedWindows(database)
        self._shared = SlidingWindowCounterRateLimiter(self._storage)
        self._local = SlidingWindowCounterRateLimiter(LocalWindows())
        # Of an address or a name the table has what says nothing to whoever reads it.
        self._key = keys.current(Purpose.RATE_LIMITS).key
        self._items = {
            budget.name: RateLimitItemPerSecond(
                max(1, round(budget.amount * scale)), budget.seconds
            )
            for budget in (*budgets, FAMILIAR)
        }
        self._remembered: TTLCache[Count, None] = TTLCache(MAX_REMEMBERED, REMEMBERED_SECONDS)
        self._left_alone_until = 0.0
        self._places: dict[Count, _Places] = {}

    async def spend(self, *counts: Count) -> None:
        """Count one of each. Raises TooManyRequests at the first that is used up."""
        for count in counts:
            if not await self._count(count):
                await self._refuse(count)

    @asynccontextmanager
    async def guess(self, *counts: Count, familiar: Count | None = None) -> AsyncIterator[Guess]:
        """Let somebody try; what `missed` is counted against all of them. Raises TooManyRequests.

        `familiar` is whoever goes on by right of having succeeded before (see `remember`).
        Of one key's guesses only so many are in hand at a time (`Budget.at_once`): a thousand at
        once would otherwise all be let in before the first is counted.
        """
        async with AsyncExitStack() as stack:
            for count in counts:
                await stack.enter_async_context(self._place(count))
            missed = await self._counted(counts, familiar)
            guess = Guess(was_missed_before=any(missed))
            try:
                yield guess
            finally:
                if guess.has_missed:
                    for count in counts:
                        await self._count(count)

    async def remember(self, familiar: Count) -> None:
        """Keep for weeks that this one has succeeded."""
        if familiar not in self._remembered:
            self._remembered[familiar] = None
            await self._count(familiar)

    async def forget(self, *counts: Count) -> None:
        """Begin anew, as after the right password."""
        for count in counts:
            item, key = self._item(count)
            await self._asked(partial(_clear, item, key), is_shared=count.budget.is_shared)

    async def sweep(self) -> None:
        """Delete old rows for as long as the process runs."""
        while True:
            try:
                await self._storage.sweep()
            except DATABASE_ERRORS as error:
                log.warning("limits_not_swept", error=error)
            await asyncio.sleep(SWEEP_EVERY_SECONDS)

    async def _counted(self, counts: Sequence[Count], familiar: Count | None) -> list[int]:
        """Return how many count at this moment. Raises TooManyRequests when that is all."""
        left = await self._left(counts)
        for count in counts:
            if left[count] < 1 and not (
                count.budget.spares_familiar
                and familiar is not None
                and await self._knows(familiar)
            ):
                await self._refuse(count)
        return [self._items[count.budget.name].amount - left[count] for count in counts]

    async def _knows(self, familiar: Count) -> bool:
        left = await self._left([familiar])
        return left[familiar] < self._items[familiar.budget.name].amount

    async def _left(self, counts: Sequence[Count]) -> dict[Count, int]:
        """Return how many more of each may be; those that are shared are read at once."""
        left: dict[Count, int] = {}
        for is_shared in (True, False):
            asked = {
                count: self._item(count) for count in counts if count.budget.is_shared is is_shared
            }
            if asked:
                left |= await self._asked(partial(_left_of, asked), is_shared=is_shared)
        return left

    async def _count(self, count: Count) -> bool:
        """Count one more, if it is within the budget; return whether it is."""
        item, key = self._item(count)
        return await self._asked(partial(_hit, item, key), is_shared=count.budget.is_shared)

    def _item(self, count: Count) -> tuple[RateLimitItem, str]:
        message = f"{count.budget.name}:{count.key}".encode(errors="surrogatepass")
        return self._items[count.budget.name], hmac.digest(self._key, message, "sha256")[:16].hex()

    async def _asked(self, question: Callable[[_Strategy], Awaitable[T]], *, is_shared: bool) -> T:
        if is_shared and time.monotonic() >= self._left_alone_until:
            try:
                async with asyncio.timeout(SHARED_SECONDS):
                    return await question(self._shared)
            except (*DATABASE_ERRORS, TimeoutError) as error:
                self._leave_alone(error)
        return await question(self._local)

    def _leave_alone(self, error: Exception) -> None:
        now = time.monotonic()
        if now >= self._left_alone_until:
            # The first of many that have waited at the same time.
            metrics.LIMITS_UNSHARED.inc()
            log.warning("limits_are_not_shared", error=error, seconds=LEFT_ALONE_SECONDS)
        self._left_alone_until = now + LEFT_ALONE_SECONDS

    async def _refuse(self, count: Count) -> NoReturn:
        metrics.REFUSED_BY_LIMIT.labels(count.budget.name).inc()
        item, key = self._item(count)
        seconds = await self._asked(
            partial(_seconds_until_room, item, key), is_shared=count.budget.is_shared
        )
        raise TooManyRequests(count.budget.refusal, retry_after_seconds=seconds)

    @asynccontextmanager
    async def _place(self, count: Count) -> AsyncIterator[None]:
        places = self._places.setdefault(count, _Places(asyncio.Semaphore(count.budget.at_once)))
        if places.users - count.budget.at_once >= MAX_WAITING_GUESSES:
            metrics.REFUSED_BY_LIMIT.labels(count.budget.name).inc()
            raise TooManyRequests(count.budget.refusal, retry_after_seconds=count.budget.at_once)
        places.users += 1
        try:
            async with places.free:
                yield
        finally:
            places.users -= 1
            if not places.users:
                del self._places[count]


@dataclass(slots=True)
class _Places:
    """The guesses of one key: those in hand, and those that wait to be."""

    free: asyncio.Semaphore
    users: int = 0


async def _hit(item: RateLimitItem, key: str, by: _Strategy) -> bool:
    return await by.hit(item, key)


async def _left_of(
    asked: Mapping[Count, tuple[RateLimitItem, str]], by: _Strategy
) -> dict[Count, int]:
    if isinstance(by.storage, SharedWindows):
        windows = [(item.key_for(key), item.get_expiry()) for item, key in asked.values()]
        by = SlidingWindowCounterRateLimiter(await by.storage.seen(windows))
    return {
        count: (await by.get_window_stats(item, key)).remaining
        for count, (item, key) in asked.items()
    }


async def _clear(item: RateLimitItem, key: str, by: _Strategy) -> None:
    await by.clear(item, key)


async def _seconds_until_room(item: RateLimitItem, key: str, by: _Strategy) -> int:
    windows = by.storage
    if not isinstance(windows, SlidingWindowCounterSupport):
        raise TypeError(windows)
    former, _, present, left_seconds = await windows.get_sliding_window(
        item.key_for(key), item.get_expiry()
    )
    return seconds_until_room(
        former,
        present,
        left_seconds=left_seconds,
        amount=item.amount,
        window_seconds=item.get_expiry(),
    )
