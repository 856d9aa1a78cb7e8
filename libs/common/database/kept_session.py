"""A session that lasts as long as its process, because it holds a lock or listens."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Self

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import tasks
from libs.common.database.connections import DATABASE_ERRORS, DatabaseUnavailable, driver_of

#: A session is asked so often whether it lives, and believed dead after so long without an
#: answer: together well below the time after which the server gives its locks to others.
PROOF_EVERY_SECONDS = 1.0
PROOF_SECONDS = 3.0

_PROOF = text("SELECT 1")


class KeptSession:
    """Made by `Database.kept_session`; each of its statements must be answered at once."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    @classmethod
    async def begin(cls, connection: AsyncConnection, *, idle_seconds: float) -> Self:
        """Set the limits of both sides."""
        (await driver_of(connection)).allow(PROOF_SECONDS)
        await connection.execute(text(f"SET idle_session_timeout = {round(idle_seconds * 1000)}"))
        # Prepared before there is anything to hold: between preparing a statement and executing it
        # the server takes a session for busy, and one that is lost there kept its lock for ever.
        await connection.execute(_PROOF)
        return cls(connection)

    async def listen(self, channel: str, on_notify: Callable[[], None]) -> None:
        """Have what other sessions notify call `on_notify`. Raises DatabaseUnavailable."""
        driver = await driver_of(self.connection)
        own = driver.get_server_pid()

        def notified(_: object, pid: int, *__: object) -> None:
            if pid != own:
                on_notify()

        try:
            await driver.add_listener(channel, notified)
        except DATABASE_ERRORS as error:
            raise DatabaseUnavailable(f"The database does not take listeners: {error}") from error

    async def while_it_lives(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work for as long as the session answers.

        Raises what the work raises, and the driver's error or DatabaseSilent when the session
        is gone: what it held may be somebody else's by then, and the work was cancelled.
        """
        task = asyncio.create_task(work)
        try:
            while not task.done():
                await self.connection.execute(_PROOF)
                await asyncio.wait([task], timeout=PROOF_EVERY_SECONDS)
            await task
        finally:
            await tasks.end(task)
