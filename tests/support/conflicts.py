"""Transactions that PostgreSQL gives up, as two that wait for each other make it do."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

DEADLOCK = "DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$"


class OneDeadlock:
    """Meets one the first time that `work`, whose first argument is a connection, is done.

    Or at a later time: `at_call` counts from 1.
    """

    def __init__(self, work: Callable[..., Awaitable[Any]], *, at_call: int = 1) -> None:
        self.calls = 0
        self._at_call = at_call
        self._work = work

    async def __call__(self, connection: AsyncConnection, *args: Any, **options: Any) -> Any:
        self.calls += 1
        done = await self._work(connection, *args, **options)
        if self.calls == self._at_call:
            await connection.exec_driver_sql(DEADLOCK)
        return done
