"""One table says what follows from PostgreSQL's codes, and a session that is no good is let go."""

import errno
from pathlib import Path
from typing import NoReturn

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from libs.common.database.connections import driver_of
from libs.common.database.database import Database, DatabaseReadOnly
from libs.common.database.sqlstates import Kind, is_away, is_conflict, is_refused, kind_of
from libs.common.exhaustion import lacks
from libs.common.settings import CommonSettings
from tests.support.postgres_gate import PostgresGate
from tests.support.services import free_port
from tests.support.settings import settings_of

AWAY = {
    "08000": "connection exception",
    "08001": "the client cannot connect",
    "08003": "the connection does not exist",
    "08006": "connection failure",
    "25006": "read-only",
    "25P03": "idle in transaction",
    "25P04": "the transaction took too long",
    "28000": "the role may not log in",
    "28P01": "wrong password",
    "3D000": "no such database",
    "53000": "insufficient resources",
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "53400": "a configured limit",
    "55006": "object in use",
    "55P03": "lock not available",
    "57000": "operator intervention",
    "57014": "statement timeout",
    "57P01": "admin shutdown",
    "57P02": "crash shutdown",
    "57P03": "cannot connect now",
    "57P04": "database dropped",
    "58000": "system error",
    "58030": "I/O error",
}
OWN_FAULTS = {
    "": "no code",
    "22001": "a text that is too long",
    "22P02": "no number",
    "23503": "foreign key",
    "23505": "unique",
    "25001": "active transaction",
    "25P02": "the transaction failed before",
    "3F000": "no such schema",
    "42501": "not permitted",
    "42P01": "no such table",
    "54000": "program limit",
    "55000": "not in the state for it",
    "XX000": "internal error",
    "XX001": "damaged data",
}
RAISE = "DO $$ BEGIN RAISE EXCEPTION 'told to' USING ERRCODE = '{code}'; END $$"


@pytest.mark.parametrize("code", AWAY)
def test_what_passes_with_the_database_is_no_statements_fault(code: str) -> None:
    assert kind_of(code) is Kind.AWAY


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_what_was_given_up_for_another_transaction_may_be_repeated(code: str) -> None:
    assert kind_of(code) is Kind.CONFLICT


@pytest.mark.parametrize("code", OWN_FAULTS)
def test_what_would_come_back_for_ever_is_the_statements_own_fault(code: str) -> None:
    assert kind_of(code) is None


@pytest.mark.parametrize(
    ("code", "away", "conflict"),
    [
        ("25006", True, False),
        ("53100", True, False),
        ("55P03", True, False),
        ("57014", True, False),
        ("40P01", False, True),
        ("23505", False, False),
    ],
)
async def test_errors_of_a_real_server_are_read_by_the_table(
    database: Database, code: str, *, away: bool, conflict: bool
) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with database.read() as connection:
            await connection.execute(text(RAISE.format(code=code)))
    assert (is_away(caught.value), is_conflict(caught.value)) == (away, conflict)


async def test_a_lock_that_is_not_had_in_time_is_waited_for_like_a_database_that_is_away(
    database: Database,
) -> None:
    async with database.unit_of_work() as holder:
        await holder.connection.execute(text("LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))
        for limit in ("lock_timeout", "statement_timeout"):
            async with database.read() as waiting:
                await waiting.execute(text(f"SET {limit} = '10ms'"))
                with pytest.raises(DBAPIError) as caught:
                    await waiting.execute(text("SELECT count(*) FROM users"))
                await waiting.invalidate()
            assert is_away(caught.value)


async def test_a_server_of_the_wrong_kind_for_the_url_is_away(settings: CommonSettings) -> None:
    separator = "&" if "?" in settings.database_url else "?"
    wanted = f"{settings.database_url}{separator}target_session_attrs=standby"
    async with Database.open(settings.model_copy(update={"database_url": wanted})) as database:
        with pytest.raises(Exception, match="attribute") as caught:
            await database.check()
    assert is_away(caught.value)


async def test_of_several_hosts_the_one_that_takes_changes_is_found(
    settings: CommonSettings,
) -> None:
    gate = PostgresGate(settings.database_url)
    address = make_url(gate.url)
    hosts = [f"127.0.0.1:{free_port()}", f"{address.host}:{address.port}"]
    several = address.set(
        host=None, port=None, query={"host": hosts, "target_session_attrs": "read-write"}
    ).render_as_string(hide_password=False)
    async with (
        gate.running(),
        Database.open(settings.model_copy(update={"database_url": several})) as database,
    ):
        await database.check_primary()


@pytest.mark.parametrize(
    ("code", "refused"),
    [("25006", True), ("53100", True), ("23503", True), ("57P01", False), ("40003", False)],
)
async def test_a_commit_is_refused_where_the_server_says_so_and_is_still_there(
    database: Database, code: str, *, refused: bool
) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with database.unit_of_work() as unit:
            await unit.connection.execute(text(RAISE.format(code=code)))
    assert is_refused(caught.value) is refused


def test_a_lost_connection_says_nothing_of_the_commit() -> None:
    assert not is_refused(ConnectionError("nobody answers"))
    assert not is_refused(DBAPIError("COMMIT", {}, Exception(), connection_invalidated=True))


async def test_a_session_that_ended_is_away_in_the_driver_s_own_words_too(
    database: Database,
) -> None:
    async with database.read() as connection:
        driver = await driver_of(connection)
        driver.terminate()
        with pytest.raises(asyncpg.InterfaceError) as caught:
            await driver.execute("SELECT 1")
        await connection.invalidate()
    assert is_away(caught.value)


@pytest.mark.parametrize(
    ("error", "away", "conflict"),
    [
        (asyncpg.InternalClientError("cannot switch to state 12"), True, False),
        (asyncpg.AdminShutdownError("terminating connection"), True, False),
        (asyncpg.DeadlockDetectedError("deadlock detected"), False, True),
        (asyncpg.UndefinedTableError("no such table"), False, False),
        (asyncpg.DataError("invalid input for query argument $1"), False, False),
    ],
)
def test_errors_that_the_driver_raises_as_they_are_follow_the_same_table(
    error: Exception, *, away: bool, conflict: bool
) -> None:
    assert (is_away(error), is_conflict(error)) == (away, conflict)


@pytest.mark.parametrize(
    "where",
    [
        "ann@/findme?host={folder}/none",
        "ann@/findme?host={folder}/file",
        # Both of a name's addresses are tried, and their errors put together into one.
        "ann@localhost:{port}/findme",
    ],
)
async def test_a_server_to_which_there_is_no_way_is_away(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    url = f"postgresql://{where.format(folder=tmp_path, port=free_port())}"
    async with Database.open(settings_of(CommonSettings, url)) as database:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - it has no number of its own
            await database.check()
    assert is_away(caught.value)


def test_a_failing_disk_is_not_taken_for_the_database() -> None:
    for error in (FileNotFoundError("/tmp/part"), OSError(errno.EROFS, "read-only")):
        assert not is_away(error)


async def test_a_process_without_files_to_open_says_so_rather_than_that_the_server_is_away(
    settings: CommonSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def without_files(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    async with Database.open(settings) as database:
        monkeypatch.setattr(asyncpg, "connect", without_files)
        with pytest.raises(OSError, match="open files") as caught:
            await database.check()
    assert lacks(caught.value) == "open files"


async def make_read_only(database: Database, sessions: int) -> set[int]:
    """Have the pool's sessions be those of a server that is no primary any more."""
    pids = set()
    async with database.engine.connect() as first, database.engine.connect() as second:
        for session in (first, second)[:sessions]:
            pids.add(await session.scalar(text("SELECT pg_backend_pid()")))
            await session.execute(text("SET default_transaction_read_only = on"))
            await session.commit()
    return pids


async def test_after_a_refused_change_new_sessions_are_made_that_may_reach_the_new_primary(
    database: Database,
) -> None:
    old = await make_read_only(database, 2)
    with pytest.raises(DBAPIError) as caught:
        async with database.unit_of_work() as unit:
            await unit.connection.execute(text("DELETE FROM outbox"))
    assert is_away(caught.value)
    # Neither the session that refused, nor the other one, which nobody asked.
    async with database.unit_of_work() as one, database.unit_of_work() as other:
        for unit in (one, other):
            await unit.connection.execute(text("DELETE FROM outbox"))
            assert await unit.connection.scalar(text("SELECT pg_backend_pid()")) not in old


async def test_a_look_for_the_primary_finds_that_it_is_none_and_lets_the_sessions_go(
    database: Database,
) -> None:
    await database.check_primary()
    await make_read_only(database, 2)
    await database.check()
    with pytest.raises(DatabaseReadOnly, match="takes no changes"):
        await database.check_primary()
    await database.check_primary()
    async with database.unit_of_work() as unit:
        await unit.connection.execute(text("DELETE FROM outbox"))


async def test_a_session_that_was_ended_takes_its_neighbours_along(database: Database) -> None:
    async with database.read() as one, database.read() as other:
        old = {await each.scalar(text("SELECT pg_backend_pid()")) for each in (one, other)}
    with pytest.raises(DBAPIError) as caught:
        async with database.read() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert is_away(caught.value)
    async with database.read() as one, database.read() as other:
        new = {await each.scalar(text("SELECT pg_backend_pid()")) for each in (one, other)}
    assert not old & new
