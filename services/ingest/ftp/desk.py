"""What the threads of FTP connections ask of the event loop."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from libs.common.accounts.accounts import Accounts
from services.ingest.context import Context
from services.ingest.ftp import broken_files, repository
from services.ingest.ftp.login import Login, destination, log_in
from services.ingest.ftp.pieces import Pieces
from services.ingest.ftp.receive_file import ExpectedFile, expect_file, receive_file
from services.ingest.photos.names import display_name
from services.ingest.photos.store_photo import Kept

#: Longer than the database, a turn and the store's last piece are waited for together.
ANSWER_SECONDS = 120.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """The use cases, for callers who are threads: each waits for its own answer."""

    context: Context
    accounts: Accounts
    loop: asyncio.AbstractEventLoop

    def log_in(self, code: str, key: str, address: str) -> Login:
        """As `login.log_in`."""
        return self._answer(
            log_in(
                code,
                key,
                address,
                accounts=self.accounts,
                limiter=self.context.limiter,
                database=self.context.resources.database,
            )
        )

    def expect(self, login: Login, path: bytes, starts_at: int | None) -> ExpectedFile:
        """As `receive_file.expect_file`."""
        return self._answer(
            expect_file(login, path, starts_at, accounts=self.accounts, context=self.context)
        )

    def receive(self, pieces: Pieces, file: ExpectedFile) -> "Future[Kept]":
        """Begin to take a file in."""
        return self.begin(receive_file(pieces, file, context=self.context))

    def size_of_broken(self, login: Login, path: bytes) -> int | None:
        """Return where a file that broke off is gone on with, None where nothing is kept of it."""
        found = self._answer(broken_files.find(login, path, context=self.context))
        return None if found is None else found.told_bytes

    def rename(self, login: Login, photo_id: int, name: bytes) -> None:
        """Give a photo that the login has sent another name."""
        self._answer(self._rename(login, photo_id, display_name(name)))

    def begin(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Have something done in the event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    async def _rename(self, login: Login, photo_id: int, name: str) -> None:
        await destination(login, accounts=self.accounts, database=self.context.resources.database)
        async with self.context.resources.database.unit_of_work() as unit:
            await repository.rename_photo(unit.connection, login.event_id, photo_id, name)

    def _answer(self, work: Coroutine[Any, Any, T]) -> T:
        asked = self.begin(work)
        try:
            return asked.result(ANSWER_SECONDS)
        except TimeoutError:
            asked.cancel()
            raise
