"""Reads that go to the driver directly answer, fail and are given up as all others are."""

import asyncio
import traceback
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import (
    BigInteger,
    Float,
    Integer,
    String,
    cast,
    event,
    func,
    literal,
    literal_column,
    select,
)

from libs.common.database.compiled import CompiledRead, parameter
from libs.common.database.connections import DATABASE_ERRORS, DatabaseSilent
from libs.common.database.database import Database
from libs.common.database.sqlstates import is_away
from libs.common.database.tables import events, photos
from libs.common.settings import CommonSettings
from tests.common.database.sessions import end_session
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.rows import Rows
from tests.support.silent_postgres import SilentPostgres

OWN = CompiledRead(select(func.pg_backend_pid()))
SUM = CompiledRead(
    select(parameter("first", BigInteger()) + 10 * parameter("second", BigInteger()), literal(7))
)
EVENTS = CompiledRead(select(func.count()).select_from(events))
PHOTOS = CompiledRead(select(func.count()).select_from(photos))
SLEEP = CompiledRead(select(cast(func.pg_sleep(parameter("seconds", Float())), String)))
NUMBER = CompiledRead(select(cast(parameter("word", String()), Integer())))


class Statements:
    """Those that went through SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        event.listen(database.engine.sync_engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.count += 1


@pytest.fixture
async def behind(settings: CommonSettings) -> AsyncIterator[Database]:
    async with Database.open(settings, name="behind") as database:
        yield database


async def test_it_answers_with_each_call_s_values(behind: Database) -> None:
    through = Statements(behind)
    async with behind.read() as connection:
        for first, second in ((1, 2), (3, 4)):
            [(found, constant)] = await SUM.execute(connection, second=second, first=first)
            assert (found, constant) == (first + 10 * second, 7)
    assert through.count == 0


async def test_within_a_snapshot_it_sees_what_the_snapshot_sees(
    database: Database, behind: Database
) -> None:
    rows = Rows(database)
    async with behind.snapshot() as connection:
        assert await EVENTS.execute(connection) == [(0,)]
        await rows.event()
        assert await EVENTS.execute(connection) == [(0,)]
    async with behind.read() as connection:
        assert [tuple(row) for row in await EVENTS.execute(connection)] == [(1,)]


async def test_one_whose_session_is_ended_is_answered_by_a_new_one(
    database: Database, behind: Database
) -> None:
    async with behind.read() as connection:
        for _ in range(2):
            [(before,)] = await OWN.execute(connection)
            await end_session(database, before)
            [(after,)] = await OWN.execute(connection)
            assert after != before
    async with behind.read() as connection:
        [(again,)] = await OWN.execute(connection)
    assert again == after


async def test_one_without_an_answer_is_given_up_and_the_next_connection_serves(
    settings: CommonSettings,
) -> None:
    async with SilentPostgres(settings.database_url).running() as postgres:
        soon = settings.model_copy(
            update={"database_url": postgres.url, "db_command_timeout": 1, "db_connect_timeout": 1}
        )
        async with Database.open(soon) as behind:
            through = Statements(behind)
            async with asyncio.timeout(PATIENCE_SECONDS), behind.read() as connection:
                await OWN.execute(connection)
                postgres.silence()
                with pytest.raises(DatabaseSilent) as caught:
                    await OWN.execute(connection)
                with pytest.raises(DatabaseSilent):
                    await OWN.execute(connection)
            async with asyncio.timeout(PATIENCE_SECONDS), behind.read() as connection:
                await OWN.execute(connection)
    assert is_away(caught.value)
    assert through.count == 0, "it was waited for twice"


async def test_one_that_is_cancelled_ends_on_the_server_and_is_nobodys_who_comes_next(
    database: Database, behind: Database
) -> None:
    pid = asyncio.get_running_loop().create_future()

    async def sleep() -> None:
        async with behind.read() as connection:
            [(own,)] = await OWN.execute(connection)
            pid.set_result(own)
            await SLEEP.execute(connection, seconds=10 * PATIENCE_SECONDS)

    task = asyncio.create_task(sleep())

    async def state() -> object:
        async with database.read() as connection:
            return await connection.scalar(
                select(literal_column("state"))
                .select_from(func.pg_stat_get_activity(await pid).table_valued("state", "query"))
                .where(literal_column("query").like("%pg_sleep%"))
            )

    async def is_asleep() -> bool:
        return await state() == "active"

    async def has_gone() -> bool:
        return await state() is None

    await eventually(is_asleep)
    task.cancel()
    await asyncio.wait([task])
    async with behind.read() as connection:
        [(other,)] = await OWN.execute(connection)
    assert other != await pid
    await eventually(has_gone)


async def test_a_lock_is_waited_for_once(database: Database, settings: CommonSettings) -> None:
    impatient = settings.model_copy(update={"db_lock_timeout": 0.2})
    async with (
        Database.open(impatient) as behind,
        database.unit_of_work(patient=True) as unit,
        behind.read() as connection,
    ):
        through = Statements(behind)
        await unit.connection.exec_driver_sql("LOCK TABLE photos IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DATABASE_ERRORS) as caught:
            await PHOTOS.execute(connection)
        assert is_away(caught.value)
        assert through.count == 0
        # The session itself is as good as before.
        assert await EVENTS.execute(connection)


async def test_an_error_says_nothing_of_the_value(behind: Database) -> None:
    address = "ann@example.com"
    with pytest.raises(DATABASE_ERRORS) as caught:
        async with behind.read() as connection:
            await NUMBER.execute(connection, word=address)
    told = "".join(traceback.format_exception(caught.value))
    assert "invalid input syntax for type integer" in told
    assert address not in told
