"""How many connections are had at once: those that are kept, and more for waits that do not end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import event
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common.database import turns as turns_module
from libs.common.database.database import Database
from libs.common.database.turns import Turns, Use
from libs.common.settings import KEPT_CONNECTIONS, CommonSettings
from tests.support.polling import PATIENCE_SECONDS, eventually

CONNECTIONS, KEPT = 50, 8
AT_FIRST = KEPT + KEPT_CONNECTIONS
#: One is the looks'.
MOST = CONNECTIONS - 1


@dataclass
class Holding:
    """Those who wait for a turn, and hold it until they are let go."""

    turns: Turns
    held: int = 0
    most_held: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def one(self, use: Use = Use.OTHER) -> None:
        async with self.turns.one(use):
            self.held += 1
            self.most_held = max(self.most_held, self.held)
            try:
                await self.release.wait()
            finally:
                self.held -= 1

    @asynccontextmanager
    async def by(self, count: int, use: Use = Use.OTHER) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self.one(use))
            await asyncio.sleep(0)
            try:
                yield
            finally:
                self.release.set()


@pytest.fixture
def never_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "LONG_SECONDS", 10 * PATIENCE_SECONDS)


@pytest.fixture
def soon_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "LONG_SECONDS", 0.001)


def turns(*, wait_seconds: float = PATIENCE_SECONDS) -> Turns:
    return Turns(CONNECTIONS, kept=KEPT, wait_seconds=wait_seconds)


@pytest.mark.usefixtures("never_more")
async def test_a_crowd_takes_turns_for_the_connections_that_are_kept(
    settings: CommonSettings,
) -> None:
    small = settings.model_copy(update={"db_pool_size": KEPT, "db_max_overflow": 40})
    opened = 0

    def count(*_: object) -> None:
        nonlocal opened
        opened += 1

    async def ask(database: Database) -> None:
        async with database.read() as connection:
            await connection.exec_driver_sql("SELECT 1")

    async with Database.open(small) as database:
        event.listen(database.engine.sync_engine, "connect", count)
        async with asyncio.TaskGroup() as crowd:
            for _ in range(200):
                crowd.create_task(ask(database))
    assert 1 < opened <= AT_FIRST


@pytest.mark.usefixtures("soon_more")
async def test_more_are_had_where_none_comes_back_but_never_that_of_the_looks() -> None:
    holding = Holding(turns())
    async with holding.by(2 * CONNECTIONS):
        assert holding.held == AT_FIRST
        await eventually(lambda: holding.held == MOST)
        async with asyncio.timeout(PATIENCE_SECONDS), holding.turns.one(Use.LOOK):
            assert holding.held == MOST
    assert holding.most_held == MOST


async def test_those_held_for_long_are_replaced_and_short_ones_are_not() -> None:
    some = turns()
    long, crowd = Holding(some), Holding(some)
    async with long.by(5), crowd.by(2 * CONNECTIONS):
        assert crowd.held == AT_FIRST - 5
        crowd.release.set()
        await eventually(lambda: crowd.held == 0)
        some._count()
        crowd.release.clear()
        async with crowd.by(2 * CONNECTIONS):
            assert crowd.held == KEPT
    some._count()
    assert some._next_count is None
    last = Holding(some)
    async with last.by(2 * CONNECTIONS):
        assert last.held == AT_FIRST


@pytest.mark.usefixtures("never_more")
async def test_who_waits_too_long_is_told_and_takes_no_turn_with_them() -> None:
    holding = Holding(turns(wait_seconds=0.01))
    async with holding.by(AT_FIRST):
        with pytest.raises(PoolTimeout, match="no database connection became free within"):
            await holding.one()
    again = Holding(holding.turns)
    async with again.by(AT_FIRST):
        assert again.held == AT_FIRST


@pytest.mark.usefixtures("never_more")
async def test_who_gives_up_as_their_turn_comes_leaves_it_to_the_next() -> None:
    holding = Holding(turns())
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_FIRST):
            group.create_task(holding.one())
        await asyncio.sleep(0)
        gives_up, stays = (group.create_task(holding.one()) for _ in range(2))
        await asyncio.sleep(0)
        holding.release.set()
        # Those that hold it give it back in their next step; then it is this one's, who goes.
        await asyncio.sleep(0)
        gives_up.cancel()
        await asyncio.wait([stays])
    again = Holding(holding.turns)
    async with again.by(AT_FIRST):
        assert again.held == AT_FIRST


async def test_there_are_more_for_as_long_as_the_first_in_line_waits_and_then_fewer() -> None:
    some = turns()
    short = [Holding(some) for _ in range(AT_FIRST + 5)]
    holders = [asyncio.create_task(one.one()) for one in short]
    await asyncio.sleep(0)
    assert sum(one.held for one in short) == AT_FIRST
    # None was held at the count before: what is waited for is what makes it grow.
    some._held = frozenset()
    some._count()
    await asyncio.sleep(0)
    assert sum(one.held for one in short) == AT_FIRST + 1
    # Another one is the first in line now.
    some._held = frozenset()
    some._count()
    await asyncio.sleep(0)
    assert sum(one.held for one in short) == AT_FIRST + 1
    for one in short:
        one.release.set()
    await asyncio.wait(holders)
    for _ in range(3):
        some._count()
    crowd = Holding(some)
    async with crowd.by(2 * CONNECTIONS):
        assert crowd.held == AT_FIRST


@pytest.mark.usefixtures("never_more")
async def test_scans_take_no_turn_of_the_others() -> None:
    some = turns()
    scans, others = Holding(some), Holding(some)
    async with scans.by(20, Use.SCAN):
        assert scans.held == 20
        async with others.by(2 * CONNECTIONS):
            assert others.held == AT_FIRST
    crowd = Holding(some)
    async with crowd.by(2 * CONNECTIONS):
        assert crowd.held == AT_FIRST


async def test_few_connections_are_had_all_at_once() -> None:
    few = Turns(KEPT_CONNECTIONS + 2, kept=2, wait_seconds=PATIENCE_SECONDS)
    holding = Holding(few)
    async with holding.by(KEPT_CONNECTIONS + 2):
        assert holding.held == KEPT_CONNECTIONS + 2
