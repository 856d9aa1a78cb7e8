"""Connections that nobody answers any more."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.common.database import connections
from libs.common.database.connections import (
    KEEPALIVE_IDLE_SECONDS,
    DatabaseSilent,
    driver_of,
    limit_socket,
)
from libs.common.database.database import Database
from libs.common.database.sqlstates import is_away
from libs.common.messaging.bus.retry import OUTAGE_PATIENCE_SECONDS, Retry, RetryPolicy, decide
from libs.common.settings import CommonSettings
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.silent_postgres import SilentPostgres

COMMAND_SECONDS = 1.0
_LOCK = 4711


@pytest.fixture
async def postgres(database_url: str) -> AsyncIterator[SilentPostgres]:
    async with SilentPostgres(database_url).running() as postgres:
        yield postgres


@pytest.fixture
def through(settings: CommonSettings, postgres: SilentPostgres) -> CommonSettings:
    return settings.model_copy(
        update={
            "database_url": postgres.url,
            "db_connect_timeout": COMMAND_SECONDS,
            "db_command_timeout": COMMAND_SECONDS,
            "db_lock_timeout": COMMAND_SECONDS / 2,
        }
    )


@pytest.fixture
async def behind(through: CommonSettings) -> AsyncIterator[Database]:
    async with Database.open(through, name="behind") as database:
        yield database


async def backends(database: Database, query: str) -> int:
    """How many sessions of `behind` run the query."""
    async with database.read() as connection:
        return int(
            await connection.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE application_name = 'behind' AND state <> 'idle' AND query = :query"
                ),
                {"query": query},
            )
            or 0
        )


async def test_a_statement_without_an_answer_is_given_up_and_the_next_connection_serves(
    behind: Database, postgres: SilentPostgres
) -> None:
    async def work() -> None:
        async with behind.unit_of_work() as unit:
            await unit.connection.execute(text("SELECT 1"))
            postgres.silence()
            await unit.connection.execute(text("SELECT 1"))

    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(DatabaseSilent) as caught:
            await work()
        await behind.check()
    assert is_away(caught.value)


async def test_a_photo_s_attempts_are_not_used_up_by_a_silent_database() -> None:
    policy = RetryPolicy(delays_seconds=(1.0,))
    error = DatabaseSilent("The database does not answer.")
    assert policy.waited_seconds(10) < OUTAGE_PATIENCE_SECONDS
    decision = decide(error, 10, policy)
    assert isinstance(decision, Retry)
    assert decision.is_wait


async def test_a_commit_without_an_answer_is_given_up(
    behind: Database, postgres: SilentPostgres
) -> None:
    async def work() -> None:
        async with behind.unit_of_work() as unit:
            await unit.connection.execute(text("SELECT 1"))
            postgres.lose_replies()

    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(DatabaseSilent):
            await work()
        postgres.heal()
        await behind.check()


async def test_connections_that_fell_silent_in_the_pool_are_replaced_before_they_are_used(
    behind: Database, postgres: SilentPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if they had waited for longer than one is trusted.
    monkeypatch.setattr(connections, "TRUSTED_SECONDS", 0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with behind.read(), behind.read(), behind.read():
            pass
        assert postgres.silence() == 3
        async with behind.read() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
        async with behind.read(), behind.read(), behind.read():
            pass


async def test_a_connection_is_asked_whether_it_lives_when_it_has_waited_and_only_then(
    behind: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    now = 100.0
    monkeypatch.setattr(connections, "monotonic", lambda: now)
    async with behind.read() as connection:
        driver = await driver_of(connection)
        driver.add_query_logger(lambda logged: asked.append(logged.query))
    for passed in (0.0, 0.5, 5.0, 0.5):
        now += passed
        async with behind.read():
            pass
    assert asked == ["SELECT 1"]


async def test_a_database_that_takes_connections_and_says_nothing_is_away(
    behind: Database, postgres: SilentPostgres
) -> None:
    postgres.lose_replies()
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(DatabaseSilent):
            await behind.check()
        postgres.heal()
        await behind.check()


async def test_a_pool_is_closed_while_nobody_answers(
    through: CommonSettings, postgres: SilentPostgres
) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with Database.open(through) as database:
            async with database.read(), database.read():
                pass
            postgres.silence()


async def test_what_is_long_may_take_longer_on_purpose_and_only_then(behind: Database) -> None:
    long = text(f"SELECT pg_sleep({COMMAND_SECONDS * 2})")
    async with behind.read(patient=True) as connection:
        await connection.execute(long)
    async with behind.scan() as connection:
        await connection.execute(long)
    async with behind.unit_of_work(patient=True) as unit:
        await unit.connection.execute(long)
    async for attempt in behind.attempts(patient=True):
        async with attempt as unit:
            await unit.connection.execute(long)
    with pytest.raises(DatabaseSilent):
        async with behind.read() as connection:
            await connection.execute(long)


async def test_a_statement_that_was_given_up_ends_on_the_server_too(
    behind: Database, database: Database
) -> None:
    statement = "SELECT pg_sleep(600)"

    async def run() -> None:
        async with behind.unit_of_work() as unit:
            await unit.connection.execute(text(statement))

    running = asyncio.create_task(run())
    await eventually(lambda: backends(database, statement))
    with pytest.raises(DatabaseSilent):
        await running

    async def has_ended() -> bool:
        return await backends(database, statement) == 0

    await eventually(has_ended)


async def test_a_lock_of_somebody_else_is_not_waited_for_for_ever(
    behind: Database, database: Database
) -> None:
    async with database.unit_of_work() as unit:
        await unit.connection.execute(text("LOCK TABLE photos IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DBAPIError) as caught:
            async with behind.read() as connection:
                await connection.execute(text("SELECT count(*) FROM photos"))
    assert is_away(caught.value)


async def test_the_server_knows_the_limits(behind: Database) -> None:
    async with behind.read() as connection:
        rows = await connection.execute(
            text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)"),
            {
                "names": [
                    "lock_timeout",
                    "statement_timeout",
                    "idle_in_transaction_session_timeout",
                    "idle_session_timeout",
                    "client_connection_check_interval",
                ]
            },
        )
        assert {row.name: int(row.setting) for row in rows} == {
            "lock_timeout": 500,
            "statement_timeout": 120_000,
            "idle_in_transaction_session_timeout": 15_000,
            "idle_session_timeout": 600_000,
            "client_connection_check_interval": 1000,
        }


async def test_the_kernel_knows_them_too(behind: Database) -> None:
    async with behind.read() as connection:
        own = (await driver_of(connection))._transport.get_extra_info("socket")
        assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == KEEPALIVE_IDLE_SECONDS
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1000


async def test_a_hole_in_the_network_ends_a_statement_however_patient(
    behind: Database, postgres: SilentPostgres, database: Database
) -> None:
    statement = "SELECT pg_sleep(3600)"

    async def wait_long() -> None:
        async with behind.read(patient=True) as connection:
            await connection.execute(text(statement))

    waiting = asyncio.create_task(wait_long())
    await eventually(lambda: backends(database, statement))
    postgres.swallow_packets()
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(DBAPIError) as caught:
            await waiting
    assert is_away(caught.value)


def test_a_unix_socket_needs_no_kernel_s_limits() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        limit_socket(ours, 1.0)
    limit_socket(None, 1.0)


async def test_a_kept_session_that_falls_silent_ends_its_work_and_loses_its_lock(
    behind: Database, database: Database, postgres: SilentPostgres
) -> None:
    has_begun = asyncio.Event()
    was_cancelled = asyncio.Event()

    async def work() -> None:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()

    async def hold() -> None:
        async with behind.kept_session(idle_seconds=2) as session:
            assert await session.connection.scalar(text(f"SELECT pg_try_advisory_lock({_LOCK})"))
            await session.while_it_lives(work())

    async def is_free() -> bool:
        async with database.read() as connection:
            lock = await connection.scalar(text(f"SELECT pg_try_advisory_lock({_LOCK})"))
            await connection.execute(text("SELECT pg_advisory_unlock_all()"))
            return bool(lock)

    holding = asyncio.create_task(hold())
    await has_begun.wait()
    assert not await is_free()
    postgres.silence()
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(DatabaseSilent):
            await holding
    assert was_cancelled.is_set()
    await eventually(is_free)


async def test_a_kept_session_lasts_as_long_as_it_is_answered(behind: Database) -> None:
    async with behind.kept_session(idle_seconds=2) as session:
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await session.while_it_lives(asyncio.sleep(3600))
        assert await session.connection.scalar(text("SELECT 1")) == 1


async def test_a_kept_session_raises_what_its_work_raises(behind: Database) -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        async with behind.kept_session(idle_seconds=2) as session:
            await session.while_it_lives(work())


async def test_who_listens_hears_others_and_not_itself(
    behind: Database, database: Database
) -> None:
    heard: list[str] = []
    async with behind.kept_session(idle_seconds=60) as session:
        await session.listen("silence_test", lambda: heard.append("it"))
        await session.connection.execute(text("NOTIFY silence_test"))
        async with database.read() as connection:
            await connection.execute(text("NOTIFY silence_test"))
        await eventually(lambda: heard)
        await session.connection.execute(text("SELECT 1"))
    assert heard == ["it"]
