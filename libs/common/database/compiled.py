"""Statements that are built and compiled once, for what is asked hundreds of times a second.

Building a list's statement anew at each call, and finding out that it is one that was compiled
before, took as long as its answer; and so did its way through SQLAlchemy (200 us of a core, 90
by the driver alone). Limits and repetition are those of other statements. Errors of the server
come as the driver's own, for which `sqlstates` has the same answers.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import BindParameter, Select, bindparam
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from libs.common.database.connections import DATABASE_ERRORS, SILENT, DatabaseSilent
from libs.common.database.repeated_reads import REPEATS_READS
from libs.common.database.sqlstates import is_session_lost

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]

T = TypeVar("T")


def parameter(name: str, type_: TypeEngine[T]) -> BindParameter[T]:
    """A value of a compiled statement that is given at each call."""
    return bindparam(name, None, type_)


class CompiledRead:
    """A SELECT, with the values that its `parameter`s have at each call."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self._sql = str(compiled)
        self._names = tuple(compiled.positiontup or ())
        self._constants = {
            name: value for name, value in compiled.params.items() if value is not None
        }

    async def execute(self, connection: AsyncConnection, **parameters: object) -> Sequence[Any]:
        """Return the rows, whose values are as the driver gives them."""
        named = {**self._constants, **parameters}
        values = tuple(named[name] for name in self._names)
        driver = _driver_of(connection)
        if driver is not None:
            try:
                return await driver.fetch(self._sql, *values)  # type: ignore[no-any-return]
            except asyncio.CancelledError:
                # The server may be at it still.
                _give_up(connection)
                raise
            except TimeoutError as error:
                _give_up(connection)
                raise DatabaseSilent(SILENT) from error
            except DATABASE_ERRORS as error:
                if not (is_session_lost(error) or _may_tell_values(error)):
                    raise
        # A transaction's are SQLAlchemy's matter, and so are lost sessions, of which it makes new
        # ones, and values that are refused: it leaves them out of what is said.
        return (await connection.exec_driver_sql(self._sql, values)).all()


def _driver_of(connection: AsyncConnection) -> Any | None:  # noqa: ANN401 - it has no types
    """Return the driver's connection where it may be asked directly: no transaction is begun.

    Raises DatabaseSilent where it was given up before.
    """
    own = connection.sync_connection
    if own is None or own.closed or not own.get_execution_options().get(REPEATS_READS):
        return None
    if own.invalidated:
        # A new session would not be in autocommit.
        raise DatabaseSilent(SILENT)
    return own.connection.driver_connection


def _may_tell_values(error: BaseException) -> bool:
    return isinstance(error, (asyncpg.DataError, asyncpg.InterfaceError))


def _give_up(connection: AsyncConnection) -> None:
    if (own := connection.sync_connection) is not None:
        own.invalidate()
