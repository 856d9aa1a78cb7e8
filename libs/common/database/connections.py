"""Connections that end: every wait for PostgreSQL has a limit, on both sides of the network.

A connection that nobody answers any more (a hole in the network, a proxy that keeps old
connections silent) says nothing, and the kernel's own patience is a quarter of an hour. So three
look: the driver, by the time a statement takes; the kernels of both sides, by the time that
nothing was acknowledged; and the server, which ends the sessions that were left to it.
"""

import asyncio
import socket
from dataclasses import dataclass
from time import monotonic
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect, ExceptionContext
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from libs.common.errors import Unavailable
from libs.common.exhaustion import lacks

#: An idle connection is asked for after so long, so often, and given up after so many times.
KEEPALIVE_IDLE_SECONDS = 5
KEEPALIVE_EVERY_SECONDS = 2
KEEPALIVE_COUNT = 3
#: How often the server looks whether the client of a running statement is still there. A
#: connection that we give up is closed at once; its statement, and its locks, end with this.
CLIENT_CHECK_SECONDS = 1

#: At the login: a parameter that the server does not know, one that it does not take with this
#: value, and a pooler's word for those that it does not pass on.
_REFUSED_PARAMETER = ("42704", "22023", "08P01")

#: One that came back to the pool so lately is not asked whether it lives: a rush of guests asked
#: for that oftener than for anything else. What is lost so soon afterwards fails its statement, as
#: what is lost a moment after the question does.
TRUSTED_SECONDS = 1.0
#: In `record.info`: when the connection came back to the pool, if it was handed out before.
_RETURNED = "returned"


#: What users are told when a statement gets no answer in time.
SILENT = "The database does not answer. Try again in a few seconds."


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or does not take connections now."""


class DatabaseSilent(DatabaseUnavailable, ConnectionError):
    """The database has not answered in time; whether it did what it was asked is not known."""


class SessionRefused(DatabaseUnavailable):
    """What answers does not take our sessions' parameters; that does not pass by itself."""

    def __init__(self, words: str) -> None:
        super().__init__(
            f"The database refuses FindMe's sessions: {words}. They need PostgreSQL 14 or newer,"
            " with no pooler in between."
        )


#: What a statement may fail by. Tasks of the background wait and try again; whether the database
#: is away or refuses is for the log. The driver's own errors come through SQLAlchemy as they are
#: where they are raised by the end of a session: "cannot switch to state 12".
DATABASE_ERRORS = (
    SQLAlchemyError,
    DatabaseUnavailable,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what may take, in seconds.

    0 is for ever, but not for connecting and statements: the driver refuses it.
    """

    #: A new connection, and the question whether one that waited in the pool still lives.
    connect_seconds: float
    #: A statement, after which its connection is given up.
    command_seconds: float
    #: A statement that is known to be long; the server itself ends a longer one.
    patient_seconds: float
    #: A row, table or advisory lock that another transaction has.
    lock_seconds: float
    #: What was sent and is not acknowledged, by either kernel.
    unacknowledged_seconds: float
    #: A transaction whose client says nothing; the relay's waits 10 s for the broker.
    idle_in_transaction_seconds: float = 15
    #: A session whose client says nothing: one that was lost behind a silent proxy.
    idle_seconds: float = 600


#: For migrations and backups: statements of an hour, and transactions that are kept open beside
#: pg_dump; a connection that is gone is noticed all the same.
OPERATORS_LIMITS = Limits(
    connect_seconds=10,
    command_seconds=3600,
    patient_seconds=3600,
    lock_seconds=0,
    unacknowledged_seconds=60,
    idle_in_transaction_seconds=0,
    idle_seconds=0,
)


def open_engine(
    url: str,
    limits: Limits,
    *,
    name: str,
    **options: Any,  # noqa: ANN401 - SQLAlchemy's own
) -> AsyncEngine:
    """Return an engine all of whose connections keep the limits.

    `name` shows up as application_name in pg_stat_activity; `options` are `create_async_engine`'s.
    """
    engine = create_async_engine(
        url,
        # What rows hold is personal, and logs are not the place for it: see `_leave_values_out`.
        hide_parameters=True,
        connect_args={
            "timeout": limits.connect_seconds,
            "command_timeout": limits.command_seconds,
            "connection_class": _connection_class(limits),
            "server_settings": {"application_name": name, **server_settings(limits)},
        },
        **options,
    )
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "handle_error", _leave_values_out)
    event.listen(engine.sync_engine, "handle_error", _give_up_silent)

    def check(
        connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection
    ) -> None:
        _check_that_it_lives(connection, record, limits.connect_seconds)

    event.listen(engine.sync_engine.pool, "checkout", check)
    event.listen(engine.sync_engine.pool, "checkin", _note_return)
    return engine


def server_settings(limits: Limits) -> dict[str, str]:
    """What the server is to know of the limits, as parameters of the session."""
    return {
        "statement_timeout": _milliseconds(limits.patient_seconds),
        "lock_timeout": _milliseconds(limits.lock_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(limits.idle_in_transaction_seconds),
        "idle_session_timeout": _milliseconds(limits.idle_seconds),
        "client_connection_check_interval": _milliseconds(CLIENT_CHECK_SECONDS),
        "tcp_user_timeout": _milliseconds(limits.unacknowledged_seconds),
        "tcp_keepalives_idle": str(KEEPALIVE_IDLE_SECONDS),
        "tcp_keepalives_interval": str(KEEPALIVE_EVERY_SECONDS),
        "tcp_keepalives_count": str(KEEPALIVE_COUNT),
    }


class LimitedConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection of the driver whose end waits for nobody."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Say goodbye and hang up; the driver's own close waits for the server to do so."""
        self.terminate()

    def allow(self, seconds: float) -> None:
        """Let each statement from now on take so long."""
        # There is no public way: the driver's methods take a limit, SQLAlchemy passes none on.
        config: Any = self._config  # type: ignore[has-type]
        self._config = config._replace(command_timeout=seconds)


async def driver_of(connection: AsyncConnection) -> LimitedConnection:
    """Return the driver's connection. Raises DatabaseUnavailable where it has gone meanwhile."""
    driver = (await connection.get_raw_connection()).driver_connection
    if not isinstance(driver, LimitedConnection):
        raise DatabaseUnavailable("The connection went before it was used.")
    return driver


def _connection_class(limits: Limits) -> type[LimitedConnection]:
    class Connection(LimitedConnection):
        def __init__(
            self,
            protocol: Any,  # noqa: ANN401 - the driver's own
            transport: asyncio.Transport,
            *rest: Any,  # noqa: ANN401
        ) -> None:
            super().__init__(protocol, transport, *rest)
            limit_socket(transport.get_extra_info("socket"), limits.unacknowledged_seconds)

    return Connection


def limit_socket(connected: socket.socket | None, unacknowledged_seconds: float) -> None:
    """Have the kernel notice that nobody answers any more, whether something is sent or not."""
    if connected is None or connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
        ("TCP_KEEPINTVL", KEEPALIVE_EVERY_SECONDS),
        ("TCP_KEEPCNT", KEEPALIVE_COUNT),
        ("TCP_USER_TIMEOUT", round(unacknowledged_seconds * 1000)),
    ):
        # Not every system has all of them.
        if (option := getattr(socket, name, None)) is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)


def _connect(
    dialect: Dialect,
    _: ConnectionPoolEntry | None,
    place: tuple[object, ...],
    parameters: dict[str, object],
) -> DBAPIConnection:
    """Connect. Raises SessionRefused, and ConnectionError for what the system says of the way.

    By its own kind (no such file, for a socket) it could not be told from a failure of a disk.
    """
    try:
        return dialect.connect(*place, **parameters)
    except OSError as error:
        if isinstance(error, (ConnectionError, TimeoutError)) or lacks(error) is not None:
            raise
        raise ConnectionError(f"PostgreSQL cannot be reached: {error}") from error
    except dialect.loaded_dbapi.Error as error:
        if getattr(error, "sqlstate", None) not in _REFUSED_PARAMETER:
            raise
        raise SessionRefused(str(error.args[0])) from error


def _check_that_it_lives(
    connection: DBAPIConnection, record: ConnectionPoolEntry, seconds: float
) -> None:
    """Ask a connection that waited in the pool; one that is dead is replaced by a new one.

    One that came back a moment ago is only looked at.

    Not SQLAlchemy's `pool_pre_ping`: that waits as long as a statement may take, and makes a
    transaction of it, which is three ways to the server instead of one.
    """
    returned = record.info.get(_RETURNED)
    if returned is None:
        return
    driver: Any = record.driver_connection
    if driver.is_closed():
        raise DisconnectionError
    if monotonic() - returned < TRUSTED_SECONDS:
        return
    try:
        connection.run_async(lambda driver: driver.execute("SELECT 1", timeout=seconds))
    except DATABASE_ERRORS as error:
        driver.terminate()
        # The others have waited through the same; each would be asked for as long.
        raise InvalidatePoolError from error


def _note_return(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[_RETURNED] = monotonic()


def _give_up_silent(context: ExceptionContext) -> BaseException | None:
    """Give up a connection whose statement got no answer in time."""
    if not isinstance(context.original_exception, TimeoutError):
        return None
    connection = context.connection
    if connection is not None and not connection.closed and not connection.invalidated:
        # SQLAlchemy drops this one by itself, and leaves its neighbours: `_check_that_it_lives`.
        driver = connection.connection.driver_connection
        if isinstance(driver, LimitedConnection):
            # Now: rolling back would wait for an answer once more.
            driver.terminate()
    return DatabaseSilent(SILENT)


def _leave_values_out(context: ExceptionContext) -> None:
    """Take out of an error what a traceback would say of rows; tables and constraints stay.

    The server's DETAIL is "Key (email)=(…)" or "Failing row contains (…)"; errors of data, the
    driver's own among them, end with a colon and the value that is no number, or no Unicode.
    """
    told, driver = context.original_exception, context.original_exception.__cause__
    if isinstance(driver, asyncpg.PostgresError):
        driver.detail = None
        told.detail = None  # type: ignore[attr-defined]  # SQLAlchemy's copy
    if isinstance(driver, asyncpg.DataError):
        words = str(driver.args[0])
        blamed = words.partition(":")[0]
        for error in (told, driver, context.sqlalchemy_exception):
            if error is not None:
                error.args = (str(error.args[0]).replace(words, blamed),)


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
