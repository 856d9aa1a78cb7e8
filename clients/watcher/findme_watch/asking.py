"""Which contents the event has, asked for many files in one request."""

import asyncio
from typing import Final

from findme_watch.server import MAX_ASKED, NotNow, Server, Stumbled
from findme_watch.turns import Turns

#: Files that are read within this time are asked about together.
_GATHER_SECONDS: Final = 0.05
_FEWEST_ASKED: Final = 10


class Asking:
    """Gathers questions. An error of the request is that of each who asked in it."""

    def __init__(self, server: Server, event_id: int, turns: Turns) -> None:
        self._server = server
        self._event_id = event_id
        self._turns = turns
        self._asked: dict[str, asyncio.Future[int | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def photo_id(self, sha256: str) -> int | None:
        """Return the photo with this content, None where there is none. Raises as the server does.

        Two who ask about one content at one time share the answer.
        """
        answer = self._asked.get(sha256)
        if answer is None:
            answer = self._asked[sha256] = asyncio.get_running_loop().create_future()
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask_all())
        return await asyncio.shield(answer)

    async def _ask_all(self) -> None:
        try:
            await asyncio.sleep(_GATHER_SECONDS)
            while self._asked:
                await self._ask(self._taken(asked_at_once(self._turns.pace.failures)))
        finally:
            self._asking = None

    def _taken(self, count: int) -> dict[str, asyncio.Future[int | None]]:
        return {sha256: self._asked.pop(sha256) for sha256 in list(self._asked)[:count]}

    async def _ask(self, asked: dict[str, asyncio.Future[int | None]]) -> None:
        try:
            existing = await self._existing(list(asked))
        except asyncio.CancelledError:
            for answer in asked.values():
                answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is the error of all who asked
            for answer in asked.values():
                answer.set_exception(error)
                answer.exception()  # nobody may be there to look at it
        else:
            for sha256, answer in asked.items():
                answer.set_result(existing.get(sha256))

    async def _existing(self, hashes: list[str]) -> dict[str, int]:
        async with self._turns.turn() as turn:
            try:
                existing = await self._server.existing(self._event_id, hashes)
            except NotNow as error:
                turn.failed(error.retry_after)
                raise
            except Stumbled:
                turn.failed()
                raise
            turn.succeeded()
            return existing


def asked_at_once(failures: int) -> int:
    """How many contents a request is about after so many failures in a row.

    A link that breaks every 20 KB never carries 500 questions, and carries 10.
    """
    return max(MAX_ASKED >> failures, _FEWEST_ASKED)
