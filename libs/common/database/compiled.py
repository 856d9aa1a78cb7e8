"""Statements that are built and compiled once, for what is asked hundreds of times a second.

Building a list's statement anew at each call, and finding out that it is one that was compiled
before, took as long as its answer; and so did its way through SQLAlchemy (200 us of a core, 90
by the driver alone). Errors, limits and repetition are those of other statements.
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

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
#: They took their time, and are not waited for once more.
_WAITED_FOR = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)


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
            except _WAITED_FOR:
                raise
            except DATABASE_ERRORS:
                pass
        # A transaction's are SQLAlchemy's matter, and so is what follows from an error: it asks
        # once more, of a new session where the old one is lost.
        return (await connection.exec_driver_sql(self._sql, values)).all()


def _driver_of(connection: AsyncConnection) -> Any | None:  # noqa: ANN401 - it has no types
    """Return the driver's connection where it may be asked directly: no transaction is begun."""
    own = connection.sync_connection
    if own is None or own.closed or own.invalidated:
        return None
    if not own.get_execution_options().get(REPEATS_READS):
        return None
    return own.connection.driver_connection


def _give_up(connection: AsyncConnection) -> None:
    if (own := connection.sync_connection) is not None:
        own.invalidate()
