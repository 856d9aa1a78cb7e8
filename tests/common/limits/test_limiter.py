"""Counts are right for any number at once, shared by replicas, and go on without a database."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from libs.common.database.database import Database
from libs.common.errors import TooManyRequests
from libs.common.limits.budgets import BUDGETS, Budget
from libs.common.limits.limiter import Limiter
from libs.common.limits.storage import LocalWindows, SharedWindows
from libs.common.settings import CommonSettings
from libs.common.signing_keys import SigningKeys
from tests.support.people import SECRET
from tests.support.postgres_gate import PostgresGate
from tests.support.rows import Rows
from tests.support.settings import settings_of

HOUR = 3600
#: An hour is longer than any test; of its window's beginning nothing is known.
TEN = Budget("joins", 10, HOUR, "Too many.")
ONE_AT_A_TIME = Budget("wrong_passwords", 10, HOUR, "Too many.", at_once=1)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(settings_of(CommonSettings, database_url)) as database:
        yield database


def limiter_of(database: Database) -> Limiter:
    return Limiter(database, keys=SigningKeys(SECRET), budgets=(TEN, ONE_AT_A_TIME))


async def spent(limiter: Limiter, budget: Budget, key: str = "ann") -> bool:
    try:
        await limiter.spend(budget.of(key))
    except TooManyRequests as error:
        return not 1 <= error.retry_after_seconds <= 2 * HOUR
    return True


async def test_of_many_at_once_at_two_replicas_as_many_pass_as_may(database: Database) -> None:
    replicas = limiter_of(database), limiter_of(database)
    passed = await asyncio.gather(*(spent(replicas[n % 2], TEN) for n in range(60)))
    assert sum(passed) == 10
    assert await spent(replicas[0], TEN, "bob")


async def test_of_many_guesses_at_once_as_many_are_made_as_may_miss(database: Database) -> None:
    limiter, made = limiter_of(database), 0

    async def guess() -> None:
        nonlocal made
        async with limiter.guess(ONE_AT_A_TIME.of("ann")) as guess:
            made += 1
            guess.missed()

    outcomes = await asyncio.gather(*(guess() for _ in range(80)), return_exceptions=True)
    assert made == 10
    assert sum(isinstance(outcome, TooManyRequests) for outcome in outcomes) == 70
    await limiter.forget(ONE_AT_A_TIME.of("ann"))
    await guess()
    assert limiter._places == {}


async def test_what_succeeds_is_no_guess_that_missed(database: Database) -> None:
    limiter = limiter_of(database)
    for _ in range(15):
        async with limiter.guess(TEN.of("ann")):
            pass


async def test_of_several_counts_each_is_known_and_the_one_that_is_used_up_refuses(
    database: Database,
) -> None:
    limiter = limiter_of(database)
    own, other = TEN.of("ann"), ONE_AT_A_TIME.of("ann")
    async with limiter.guess(own, other) as guess:
        guess.missed()
    assert guess.was_missed_before is False
    for _ in range(9):
        async with limiter.guess(other) as guess:
            guess.missed()
    assert guess.was_missed_before
    with pytest.raises(TooManyRequests):
        async with limiter.guess(own, other):
            pytest.fail("nobody may guess any more")
    async with limiter.guess(own) as guess:
        assert guess.was_missed_before


async def test_windows_of_several_lengths_are_each_read_by_their_own(database: Database) -> None:
    windows = SharedWindows(database)
    await windows.acquire_sliding_window_entry("long", 10, HOUR, 3)
    await windows.acquire_sliding_window_entry("short", 10, HOUR // 60, 2)
    # As if the short one's present window, and not the long one's, had become the former one.
    async with database.single_statements() as connection:
        await connection.execute(
            text("UPDATE rate_limits SET number = number - 1 WHERE key = 'short'")
        )
    seen = await windows.seen([("short", HOUR // 60), ("long", HOUR), ("none", HOUR)])
    former, left, present, _ = await seen.get_sliding_window("short", HOUR // 60)
    assert (former, present) == (2, 0)
    assert 0 <= left <= HOUR // 60
    former, left, present, _ = await seen.get_sliding_window("long", HOUR)
    assert (former, present) == (0, 3)
    assert await seen.get_sliding_window("none", HOUR) == (0, 0.0, 0, 0.0)


async def test_the_table_says_nothing_of_who_it_was(database: Database) -> None:
    await limiter_of(database).spend(TEN.of("ann@example.org", "192.0.2.7"))
    stored = await Rows(database).scalar("SELECT row_to_json(r)::text FROM rate_limits r")
    assert "ann" not in str(stored)
    assert "192" not in str(stored)


async def test_old_rows_are_swept(database: Database) -> None:
    await limiter_of(database).spend(TEN.of("ann"))
    rows, storage = Rows(database), SharedWindows(database)
    assert await storage.sweep() == 0
    async with database.single_statements() as connection:
        await connection.exec_driver_sql("UPDATE rate_limits SET expires_at = now()")
    assert await storage.sweep() == 1
    assert await rows.scalar("SELECT count(*) FROM rate_limits") == 0


async def test_without_a_database_each_process_counts_by_itself(database_url: str) -> None:
    gate = PostgresGate(database_url)
    async with (
        gate.running(),
        Database.open(settings_of(CommonSettings, gate.url)) as database,
    ):
        limiter = limiter_of(database)
        assert await spent(limiter, TEN)
        gate.close()
        passed = [await spent(limiter, TEN) for _ in range(15)]
        assert passed == [True] * 10 + [False] * 5


async def test_a_former_window_weighs_as_much_as_is_left_of_the_present_one(
    database: Database,
) -> None:
    storage = SharedWindows(database)
    assert await storage.acquire_sliding_window_entry("a", 3, HOUR, 2)
    assert not await storage.acquire_sliding_window_entry("a", 3, HOUR, 2)
    former, _, present, left = await storage.get_sliding_window("a", HOUR)
    assert (former, present) == (0, 2)
    assert 0 <= left <= HOUR
    async with database.single_statements() as connection:
        await connection.exec_driver_sql("UPDATE rate_limits SET number = number - 1")
    former, _, present, left = await storage.get_sliding_window("a", HOUR)
    assert (former, present) == (2, 0)
    assert await storage.acquire_sliding_window_entry("a", 3, HOUR, 1)
    is_within = await storage.acquire_sliding_window_entry("a", 3, HOUR, 1)
    assert is_within == (2 * left / HOUR + 2 <= 3)


async def test_of_a_flood_of_keys_the_oldest_are_forgotten() -> None:
    storage = LocalWindows(max_keys=100)
    for number in range(150):
        await storage.acquire_sliding_window_entry(str(number), 1, HOUR)
    assert list(storage._windows) == [str(number) for number in range(50, 150)]


def test_budgets_have_names_of_their_own_and_sentences() -> None:
    assert len({budget.name for budget in BUDGETS}) == len(BUDGETS)
    assert all(budget.refusal.endswith(".") for budget in BUDGETS)
