"""Where counts are: in one table that all replicas share, or in this process."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from limits.aio.storage import SlidingWindowCounterSupport, Storage
from sqlalchemy import text

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.limits.windows import NOTHING, Windows

#: Of one process: of a flood of addresses the oldest are forgotten.
MAX_LOCAL_KEYS = 100_000
SWEPT_AT_ONCE = 5_000
#: Where the first of all windows began (Unix time, s), whatever their length.
WINDOWS_BEGAN = 0.0

#: How the row's windows are at the present moment, in SQL: `Windows.at`.
_FORMER = "CASE now.number - r.number WHEN 0 THEN r.former WHEN 1 THEN r.present ELSE 0 END"
_PRESENT = "CASE WHEN now.number > r.number THEN 0 ELSE r.present END"
_NOW = (
    "SELECT CAST(floor(passed) AS bigint) AS number, 1 + floor(passed) - passed AS part_left FROM"
    " (SELECT (CAST(extract(epoch FROM clock_timestamp()) AS float8) - CAST(:began AS float8))"
    " / CAST(:expiry AS float8) AS passed) AS moment"
)
#: One statement, so that of any number at once no more than the limit is within it.
_HIT = text(f"""
    INSERT INTO rate_limits AS r (key, number, present, former, is_within, expires_at)
    SELECT :key, number, CAST(:amount AS int), 0, true,
        now() + make_interval(secs => 2 * CAST(:expiry AS float8))
    FROM ({_NOW}) AS now
    ON CONFLICT (key) DO UPDATE SET (number, present, former, is_within, expires_at) = (
        SELECT number, CASE WHEN is_within THEN asked ELSE present END, former, is_within,
            excluded.expires_at
        FROM (
            SELECT moved.*, former * part_left + asked <= CAST(:limit AS int) AS is_within
            FROM (
                SELECT greatest(now.number, r.number) AS number, now.part_left,
                    {_FORMER} AS former, {_PRESENT} AS present,
                    {_PRESENT} + CAST(:amount AS int) AS asked
                FROM ({_NOW}) AS now
            ) AS moved
        ) AS judged
    )
    RETURNING is_within
""")  # noqa: S608 - our own words
_GET = text(f"""
    SELECT r.key, {_FORMER} AS former, {_PRESENT} AS present, now.part_left
    FROM unnest(CAST(:keys AS text[]), CAST(:expiries AS int[])) AS asked (key, expiry)
    JOIN rate_limits AS r ON r.key = asked.key
    CROSS JOIN LATERAL ({_NOW.replace(":expiry", "asked.expiry")}) AS now
""")  # noqa: S608
_CLEAR = text("DELETE FROM rate_limits WHERE key = :key")
#: Two sweepers at once take different rows.
_SWEEP = text("""
    DELETE FROM rate_limits WHERE key IN (
        SELECT key FROM rate_limits WHERE expires_at < now()
        ORDER BY expires_at LIMIT :rows FOR UPDATE SKIP LOCKED
    )
""")


#: As the library asks for it: what was counted in the former window, the seconds that it weighs
#: for, what was counted in the present one, and the seconds that are left of it.
Window = tuple[int, float, int, float]


class _OnlySlidingWindows(Storage, SlidingWindowCounterSupport):
    """What the library's other strategies would ask of a storage, and nobody does."""

    STORAGE_SCHEME = None

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return ()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError

    async def get(self, key: str) -> int:
        raise NotImplementedError

    async def get_expiry(self, key: str) -> float:
        raise NotImplementedError

    async def check(self) -> bool:
        raise NotImplementedError

    async def reset(self) -> int | None:
        raise NotImplementedError

    async def clear(self, key: str) -> None:
        raise NotImplementedError


class SharedWindows(_OnlySlidingWindows):
    """Counts of all replicas, by the database's clock; an unlogged table costs no disk writes."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return DATABASE_ERRORS

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        values = _at_present(key, expiry) | {"limit": limit, "amount": amount}
        async with self._database.single_statements() as connection:
            return bool(await connection.scalar(_HIT, values))

    async def get_sliding_window(self, key: str, expiry: int) -> Window:
        return await (await self.seen([(key, expiry)])).get_sliding_window(key, expiry)

    async def seen(self, windows: Sequence[tuple[str, int]]) -> "SeenWindows":
        """Read windows, each a key and its seconds, by one statement."""
        values = {
            "keys": [key for key, _ in windows],
            "expiries": [expiry for _, expiry in windows],
            "began": WINDOWS_BEGAN,
        }
        async with self._database.single_statements() as connection:
            rows = (await connection.execute(_GET, values)).all()
        return SeenWindows(
            {row.key: (row.former, float(row.part_left), row.present) for row in rows}
        )

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        del expiry
        async with self._database.single_statements() as connection:
            await connection.execute(_CLEAR, {"key": key})

    async def sweep(self) -> int:
        """Delete rows that count for nothing any more; return how many."""
        async with self._database.single_statements() as connection:
            return (await connection.execute(_SWEEP, {"rows": SWEPT_AT_ONCE})).rowcount


class SeenWindows(_OnlySlidingWindows):
    """What windows were like at one moment; nothing can be counted there."""

    def __init__(self, seen: Mapping[str, tuple[int, float, int]]) -> None:
        """Of each key: the former window's count, the part left of the present one, its count."""
        super().__init__()
        self._seen = seen

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        raise NotImplementedError

    async def get_sliding_window(self, key: str, expiry: int) -> Window:
        former, part_left, present = self._seen.get(key, (0, 0.0, 0))
        return former, part_left * expiry, present, part_left * expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        raise NotImplementedError


class LocalWindows(_OnlySlidingWindows):
    """Counts of this process alone."""

    def __init__(self, *, max_keys: int = MAX_LOCAL_KEYS) -> None:
        super().__init__()
        self._max_keys = max_keys
        self._windows: OrderedDict[str, Windows] = OrderedDict()

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        windows, left = self._now(key, expiry)
        if windows.weighted(left) + amount > limit:
            return False
        self._windows[key] = Windows(windows.number, windows.present + amount, windows.former)
        self._windows.move_to_end(key)
        if len(self._windows) > self._max_keys:
            self._windows.popitem(last=False)
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> Window:
        windows, left = self._now(key, expiry)
        return windows.former, left * expiry, windows.present, left * expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        del expiry
        self._windows.pop(key, None)

    def _now(self, key: str, expiry: int) -> tuple[Windows, float]:
        number, passed = divmod((time.time() - WINDOWS_BEGAN) / expiry, 1)
        return self._windows.get(key, NOTHING).at(int(number)), 1 - passed


def _at_present(key: str, expiry: int) -> dict[str, Any]:
    return {"key": key, "expiry": expiry, "began": WINDOWS_BEGAN}
