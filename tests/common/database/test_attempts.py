"""Transactions that meet head-on: one place repeats them, and says so when that does not help."""

import asyncio

import pytest
from sqlalchemy import text

from libs.common.database import database as database_module
from libs.common.database.database import Database
from libs.common.database.transactions import TransactionConflict, UnitOfWork
from libs.common.messaging.messages import PhotoUploaded

BOTH = (1, 2)


@pytest.fixture
async def rows(database: Database) -> Database:
    """Two rows to lock in either order."""
    async with database.unit_of_work() as unit:
        await unit.connection.execute(text("CREATE TABLE pair (id int PRIMARY KEY, n int)"))
        await unit.connection.execute(text("INSERT INTO pair VALUES (1, 0), (2, 0)"))
    return database


async def add_one(unit: UnitOfWork, row: int) -> None:
    await unit.connection.execute(text("UPDATE pair SET n = n + 1 WHERE id = :id"), {"id": row})


async def counts(database: Database) -> list[int]:
    async with database.read() as connection:
        return list(await connection.scalars(text("SELECT n FROM pair ORDER BY id")))


async def test_of_two_that_lock_in_opposite_order_both_pass(rows: Database) -> None:
    both_hold_one = asyncio.Barrier(2)
    tries: list[int] = []

    async def change(order: tuple[int, int]) -> None:
        first = True
        async for attempt in rows.attempts():
            async with attempt as unit:
                tries.append(order[0])
                unit.publish(PhotoUploaded(event_id=1, photo_id=order[0]))
                await add_one(unit, order[0])
                if first:
                    first = False
                    await both_hold_one.wait()
                await add_one(unit, order[1])

    await asyncio.gather(change(BOTH), change(BOTH[::-1]))

    assert await counts(rows) == [2, 2]
    assert len(tries) == 3
    async with rows.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM outbox")) == 2


class Tries:
    """Runs one statement in each attempt, and then fails if it was told to."""

    def __init__(self, database: Database, statement: str, error: Exception | None = None) -> None:
        self.database = database
        self.statement = statement
        self.error = error
        self.count = 0

    async def run(self) -> None:
        async for attempt in self.database.attempts():
            async with attempt as unit:
                self.count += 1
                await unit.connection.execute(text(self.statement))
                if self.error is not None:
                    raise self.error


async def test_an_error_of_the_work_is_not_repeated(rows: Database) -> None:
    tries = Tries(rows, "UPDATE pair SET n = 1", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await tries.run()
    assert (tries.count, await counts(rows)) == (1, [0, 0])


async def test_the_last_conflict_is_told(rows: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "FIRST_PAUSE_SECONDS", 0.001)
    tries = Tries(rows, "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")
    with pytest.raises(TransactionConflict):
        await tries.run()
    assert tries.count == database_module.ATTEMPTS
