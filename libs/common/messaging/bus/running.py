"""Running consumers as tasks that can be asked to stop, one by one and all together."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog

from libs.common.messaging.bus.protocol import Intake

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Longer than nearly every photo takes, shorter than Kubernetes' usual patience of 30 s.
STOP_DEADLINE_SECONDS = 20.0


async def unless_set(work: Coroutine[Any, Any, T], *events: asyncio.Event) -> T | None:
    """Return the work's result, or None (with the work cancelled) once an event is set first."""
    if any(event.is_set() for event in events):
        work.close()
        return None
    task = asyncio.ensure_future(work)
    waiters = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait((task, *waiters), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for future in (task, *waiters):
            future.cancel()


class RunningSubscription:
    """A `Subscription` around one task, which is to return soon after `stopping` is set."""

    def __init__(
        self, run: Coroutine[Any, Any, None], stopping: asyncio.Event, *, name: str
    ) -> None:
        self._stopping = stopping
        self._task = asyncio.create_task(run, name=name)
        self._task.add_done_callback(_log_death)

    def on_end(self, callback: Callable[["RunningSubscription"], None]) -> None:
        """Have the callback called when the task has ended, however it ended."""
        self._task.add_done_callback(lambda _: callback(self))

    async def ended(self) -> None:
        """See `Subscription.ended`."""
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def stop(self) -> None:
        """See `Subscription.stop`."""
        self._stopping.set()
        try:
            await asyncio.shield(self._task)
        except asyncio.CancelledError:
            await self.abort()
            raise

    async def abort(self) -> None:
        """Cancel what is in hand; unsettled messages go back to their queue."""
        self._stopping.set()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def stop_all(
    intakes: Sequence[Intake], *, deadline_seconds: float = STOP_DEADLINE_SECONDS
) -> None:
    """Let all finish the message in hand; what is not done by the deadline goes back."""
    try:
        async with asyncio.timeout(deadline_seconds):
            await asyncio.gather(*(intake.stop() for intake in intakes))
    except TimeoutError:
        log.warning("work_returned_at_shutdown", deadline_seconds=deadline_seconds)


def _log_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("subscription_died", name=task.get_name(), exc_info=error)
