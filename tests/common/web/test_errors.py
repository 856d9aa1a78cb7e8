import errno

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError

from libs.common.database.connections import SessionRefused
from libs.common.web import errors


class DriverError(Exception):
    """What SQLAlchemy wraps; PostgreSQL's code tells the kind."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("the server says no")
        self.sqlstate = sqlstate


async def answer_to(error: Exception) -> httpx.Response:
    app = FastAPI()
    errors.install(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/")


async def status_of(error: Exception) -> tuple[int, bool]:
    """The status, and whether the answer says when to come back."""
    answer = await answer_to(error)
    return answer.status_code, "Retry-After" in answer.headers


@pytest.mark.parametrize("sqlstate", ["57P01", "57P03", "53300", "08006", "40P01", "40001"])
async def test_a_database_that_cannot_serve_now_is_answered_503_and_when_to_come_back(
    sqlstate: str,
) -> None:
    assert await status_of(DBAPIError("SELECT 1", {}, DriverError(sqlstate))) == (503, True)


@pytest.mark.parametrize("sqlstate", ["23505", "42P01", None])
async def test_a_statement_that_the_database_refuses_is_a_surprise(sqlstate: str | None) -> None:
    assert await status_of(DBAPIError("SELECT 1", {}, DriverError(sqlstate))) == (500, False)


@pytest.mark.parametrize("sqlstate", ["22021", "22003", "22008"])
async def test_a_value_that_the_database_cannot_take_is_the_callers(sqlstate: str) -> None:
    answer = await answer_to(DBAPIError("INSERT", {}, DriverError(sqlstate)))
    assert answer.status_code == 400
    assert "cannot be stored" in answer.json()["detail"]


async def test_a_lost_connection_is_answered_503_whatever_its_code() -> None:
    lost = DBAPIError("SELECT 1", {}, DriverError(None), connection_invalidated=True)
    assert await status_of(lost) == (503, True)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("cannot switch to state 12"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.AdminShutdownError("terminating connection"),
    ],
)
async def test_the_driver_s_own_word_of_a_lost_session_is_answered_503(error: Exception) -> None:
    assert await status_of(error) == (503, True)


async def test_what_operators_must_change_is_not_told_to_guests() -> None:
    answer = await answer_to(SessionRefused("unsupported startup parameter: statement_timeout"))
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert "startup" not in answer.text


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no more disk space"),
        (OSError(errno.EMFILE, "Too many open files"), "no more open files"),
        (MemoryError(), "no more memory"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "The database cannot"),
    ],
)
async def test_what_the_server_has_no_more_of_is_said_and_is_not_the_database(
    error: Exception, detail: str
) -> None:
    answer = await answer_to(error)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/tmp/part"),
        OSError(errno.EROFS, "Read-only file system"),
        OSError(errno.EIO, "Input/output error"),
    ],
)
async def test_a_failing_disk_is_not_taken_for_the_database(error: Exception) -> None:
    assert await status_of(error) == (500, False)
