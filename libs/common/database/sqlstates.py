"""What follows from an error of the database: one table of PostgreSQL's codes that all go by."""

from enum import Enum

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common.database.connections import DatabaseUnavailable


class Kind(Enum):
    """What is to be done about an error that says nothing of the statement."""

    #: The database cannot serve now: try again later, and hold it against nobody.
    AWAY = "away"
    #: This transaction was given up for another one: it may be repeated at once.
    CONFLICT = "conflict"


READ_ONLY = "25006"
#: By code or class of codes (PostgreSQL documentation, appendix A). What is not here is the fault
#: of the statement, and would come back for ever.
KINDS: dict[str, Kind] = {
    "08": Kind.AWAY,  # the connection
    READ_ONLY: Kind.AWAY,  # read-only: a standby, or a primary that is protected from writes
    "25P03": Kind.AWAY,  # ended by idle_in_transaction_session_timeout
    "25P04": Kind.AWAY,  # ended by transaction_timeout
    "28": Kind.AWAY,  # refused at the login, as while a password is changed
    "3D000": Kind.AWAY,  # the database is not there at the login, as while it is restored
    "40001": Kind.CONFLICT,  # serialisation failure; on a standby, replay
    "40P01": Kind.CONFLICT,  # deadlock
    "53": Kind.AWAY,  # no disk, memory or connections left
    "55006": Kind.AWAY,  # in the hands of an operator's command
    "55P03": Kind.AWAY,  # lock_timeout
    "57": Kind.AWAY,  # cancelled (statement_timeout), shutting down, starting, crashed, dropped
    "58": Kind.AWAY,  # the system below PostgreSQL, as an I/O error
}
#: After these a session is no good any more, nor are its neighbours in the pool: new ones reach
#: whoever is the primary by then. (Such a session would answer reads, and refuse every write.)
LOST_SESSION = ("08", READ_ONLY, "25P03", "25P04", "57P")
#: After these the server may take new sessions at once: an operator or a proxy ended this one, or
#: a process of the server's crashed.
_ENDED_SESSION = ("08", "57P01", "57P02", "57P05")
#: With these the server says nothing of the commit that it was asked for.
_COMMIT_UNKNOWN = ("08", "40003", "57P")


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's code of SQLAlchemy's or the driver's error, "" where there is none."""
    told = error.orig if isinstance(error, DBAPIError) else error
    return getattr(told, "sqlstate", None) or ""


def kind_of(code: str) -> Kind | None:
    """Return what is to be done about a code, None where the statement is to blame."""
    return KINDS.get(code) or KINDS.get(code[:2])


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction would have passed but for another one, and may be repeated."""
    return kind_of(sqlstate(error)) is Kind.CONFLICT


def is_away(error: BaseException) -> bool:
    """Whether an error of SQLAlchemy or the driver says that the database cannot serve now."""
    if kind_of(sqlstate(error)) is Kind.AWAY:
        return True
    if isinstance(error, DBAPIError):
        cause = error.orig and error.orig.__cause__
        return error.connection_invalidated or isinstance(cause, asyncpg.InternalClientError)
    if isinstance(error, asyncpg.InterfaceError):
        # As it is, it comes from a session that has ended; by ValueError it blames a value.
        return not isinstance(error, ValueError)
    # SQLAlchemy passes on as they are those errors that come before there is a connection. Of
    # the system's these only: another one (a missing file, a read-only disk) is not the database.
    return isinstance(
        error,
        (
            PoolTimeout,
            DatabaseUnavailable,
            asyncpg.InternalClientError,
            ConnectionError,
            TimeoutError,
        ),
    )


def is_refused(error: BaseException) -> bool:
    """Whether the server itself said that it gave the transaction up: nothing of it was kept."""
    code = sqlstate(error)
    return bool(code) and not code.startswith(_COMMIT_UNKNOWN)


def is_session_lost(error: BaseException) -> bool:
    """Whether the session was ended, and at once: a new one may well be had, and answer.

    Not what was given up because nobody answered: that has taken its time.
    """
    if isinstance(error, DatabaseUnavailable):
        return False
    original = error.orig if isinstance(error, DBAPIError) else error
    if code := getattr(original, "sqlstate", None):
        return str(code).startswith(_ENDED_SESSION)
    # The driver says it in several ways, where a session ends between two statements.
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(
        error,
        (
            ConnectionResetError,
            BrokenPipeError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            AsyncAdapt_asyncpg_dbapi.InterfaceError,
            AsyncAdapt_asyncpg_dbapi.InternalClientError,
        ),
    )


def drop_lost_session(context: ExceptionContext) -> None:
    """Listen to an engine's errors, so that its pool gives nobody a session that is no good."""
    if sqlstate(context.original_exception).startswith(LOST_SESSION):
        context.is_disconnect = True
