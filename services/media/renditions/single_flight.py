"""Work that many ask for at once is done once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Self, TypeVar

from libs.common import tasks

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Callers of one key share the run that is under way; nothing is kept after it.

    A caller that is cancelled does not stop the work: others may wait for it. Leaving the
    block stops all of it.
    """

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Task[T]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await tasks.end(*self._flights.values())

    async def run(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """Return what the key's one run returns, or raise what it raises."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(_awaited(work), name=f"flight {key}")
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    def _landed(self, key: str, flight: "asyncio.Task[T]") -> None:
        del self._flights[key]
        if not flight.cancelled():
            # Looked at, or asyncio would complain where all callers have gone.
            flight.exception()


async def _awaited(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
