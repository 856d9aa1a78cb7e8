"""Statements that are built and compiled once, for what is asked hundreds of times a second.

Building a list's statement anew at each call, and finding out that it is one that was compiled
before, took as long as its answer. Errors, limits and repetition are those of other statements.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import BindParameter, Select, bindparam
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]


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
        values = {**self._constants, **parameters}
        rows = await connection.exec_driver_sql(
            self._sql, tuple(values[name] for name in self._names)
        )
        return rows.all()
