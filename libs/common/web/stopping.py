"""The end of a service: not ready first, then its work in hand, then the rest."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)


class Stopping:
    """Whether a service is about to end, and what it finishes while it still answers."""

    def __init__(self) -> None:
        self.has_begun = False
        self._intakes: list[Callable[[], Awaitable[None]]] = []

    def first(self, stop_intake: Callable[[], Awaitable[None]]) -> None:
        """Have this called, and awaited, before requests are refused; it must end in time."""
        self._intakes.append(stop_intake)

    async def begin(self) -> None:
        """Say that the service is not ready any more, and stop its intake of work; once."""
        if self.has_begun:
            return
        self.has_begun = True
        for outcome in await asyncio.gather(
            *(stop_intake() for stop_intake in self._intakes), return_exceptions=True
        ):
            if isinstance(outcome, Exception):
                log.error("stopping_failed", exc_info=outcome)
