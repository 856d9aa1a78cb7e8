"""Sessions that are ended under their work: what cannot have been kept is done once more."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.database.sqlstates import is_away, is_session_lost
from libs.common.messaging.messages import PhotoUploaded
from libs.common.settings import CommonSettings
from tests.common.database.sessions import end_session
from tests.support.lossy_postgres import Loss, LossyPostgres

OWN = text("SELECT pg_backend_pid()")


@pytest.fixture
async def work(settings: CommonSettings) -> AsyncIterator[Database]:
    """Whose sessions are ended; there is a table of numbers."""
    async with Database.open(settings, name="work") as work:
        async with work.unit_of_work() as unit:
            await unit.connection.execute(text("CREATE TABLE numbers (n int)"))
        yield work


async def end_session_of(connection: AsyncConnection, database: Database) -> None:
    """End another one's session, and wait until it is gone."""
    await end_session(database, await connection.scalar(OWN))


async def add(connection: AsyncConnection) -> None:
    await connection.execute(text("INSERT INTO numbers VALUES (1)"))


async def kept(database: Database) -> tuple[int, int]:
    """Numbers, and messages."""
    async with database.read() as connection:
        numbers = await connection.scalar(text("SELECT count(*) FROM numbers"))
        messages = await connection.scalar(text("SELECT count(*) FROM outbox"))
    return int(numbers or 0), int(messages or 0)


@pytest.mark.parametrize("is_in_block", [True, False], ids=["statement", "message"])
async def test_a_transaction_whose_session_is_ended_before_its_commit_is_made_once_more(
    database: Database, work: Database, *, is_in_block: bool
) -> None:
    tries = 0
    async for attempt in work.attempts():
        async with attempt as unit:
            tries += 1
            await add(unit.connection)
            unit.publish(PhotoUploaded(event_id=1, photo_id=1))
            if tries == 1:
                await end_session_of(unit.connection, database)
                if is_in_block:
                    await add(unit.connection)
    assert tries == 2
    assert await kept(database) == (1, 1)


async def test_a_transaction_is_repeated_once_for_its_session(
    database: Database, work: Database
) -> None:
    tries = 0

    async def add_in_vain() -> None:
        nonlocal tries
        async for attempt in work.attempts():
            async with attempt as unit:
                tries += 1
                await end_session_of(unit.connection, database)
                await add(unit.connection)

    with pytest.raises(DATABASE_ERRORS) as caught:
        await add_in_vain()
    assert is_away(caught.value)
    assert tries == 2
    assert await kept(database) == (0, 0)


@pytest.mark.parametrize("loss", [Loss.MADE, Loss.UNHEARD])
async def test_a_commit_without_an_answer_is_the_caller_s(
    database: Database, work: Database, settings: CommonSettings, tmp_path: Path, loss: Loss
) -> None:
    lossy = LossyPostgres(settings.database_url, tmp_path)
    tries = 0

    async def add_one(behind: Database) -> None:
        nonlocal tries
        async for attempt in behind.attempts():
            async with attempt as unit:
                tries += 1
                await add(unit.connection)

    async with lossy.running():
        through = settings.model_copy(update={"database_url": lossy.url})
        async with Database.open(through, name="lossy") as behind:
            lossy.lose(loss)
            with pytest.raises(DATABASE_ERRORS):
                await add_one(behind)
    assert (tries, lossy.lost) == (1, 1)
    assert await kept(database) == (1 if loss is Loss.MADE else 0, 0)


async def test_a_read_whose_session_is_ended_is_answered_by_a_new_one(
    database: Database, work: Database
) -> None:
    async with work.read() as connection:
        for _ in range(2):
            before = await connection.scalar(OWN)
            await end_session_of(connection, database)
            assert await connection.scalar(OWN) != before
    # What is in autocommit stays so: another transaction begins as one.
    async with work.unit_of_work() as unit:
        await add(unit.connection)
        assert await kept(database) == (0, 0)
    assert await kept(database) == (1, 0)


async def test_a_session_that_is_kept_is_not_replaced(database: Database, work: Database) -> None:
    """With it went what it held."""
    async with work.kept_session(idle_seconds=60) as session:
        await end_session_of(session.connection, database)
        with pytest.raises(DBAPIError):
            await session.connection.scalar(OWN)


@pytest.mark.parametrize(
    "make", [lambda: TimeoutError(), lambda: ConnectionRefusedError(), lambda: ValueError()]
)
def test_what_is_no_end_of_a_session(make: Callable[[], Exception]) -> None:
    assert not is_session_lost(make())
    assert not is_session_lost(InterfaceError("SELECT 1", None, make()))


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.AdminShutdownError(),
        asyncpg.InternalClientError("cannot switch to state 12"),
        AsyncAdapt_asyncpg_dbapi.InternalClientError("cannot switch to state 12"),  # type: ignore[no-untyped-call]
        AsyncAdapt_asyncpg_dbapi.InterfaceError("connection is closed"),  # type: ignore[no-untyped-call]
        ConnectionResetError(),
        DBAPIError("SELECT 1", None, Exception(), connection_invalidated=True),
    ],
    ids=repr,
)
def test_an_end_of_a_session_by_all_its_names(error: Exception) -> None:
    assert is_session_lost(error)
