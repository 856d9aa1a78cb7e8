"""Tasks that live as long as the process: one that ends by itself is noticed, and begun again."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self

import structlog

from libs.common import tasks
from libs.common.errors import FindMeError
from libs.common.telemetry import failures, metrics

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
#: A task that has run so long is well again: its next failure pauses it for the first pause only.
SETTLED_SECONDS = 60.0
#: Then one that goes on is cancelled again: longer than consumers may take for what is in hand.
STOP_SECONDS = 25.0

#: What tidies up, or counts what waits, begins so long after its service: the first requests do
#: not share connections and processor with a dozen of such looks, of every replica at once.
TIDYING_AFTER_SECONDS = 2.0

#: Begins a task's work, at the start and after each failure; it never returns by itself.
Work = Callable[[], Coroutine[Any, Any, None]]


class BackgroundTaskDown(FindMeError):
    """A task that should run all the time does not run at this moment."""


class BackgroundTask:
    """One supervised task."""

    def __init__(
        self, name: str, work: Work, *, first_pause_seconds: float, after_seconds: float = 0.0
    ) -> None:
        self.name = name
        #: Why it does not run, until it is begun again.
        self.failure: str | None = None
        self._work = work
        self._is_stopping = False
        self._first_pause_seconds = first_pause_seconds
        self._after_seconds = after_seconds
        metrics.BACKGROUND_FAILURES.labels(name)  # 0 from the start, so that the first one counts
        self._task = asyncio.create_task(self._run(), name=name)

    async def stop(self) -> None:
        """Cancel the work and wait for its end."""
        self._is_stopping = True
        await tasks.end(self._task, again_seconds=STOP_SECONDS)

    async def _run(self) -> None:
        pause = self._first_pause_seconds
        while True:
            began = time.monotonic()
            try:
                if self._after_seconds:
                    await asyncio.sleep(self._after_seconds)
                    self._after_seconds = 0.0
                await self._work()
            except asyncio.CancelledError as error:
                if self._is_stopping:
                    raise
                # What it waited for was cancelled, by a driver that closes for example.
                self._note("what it waited for was cancelled", pause, error)
            except Exception as error:
                if self._is_stopping:
                    log.warning("background_task_failed_at_its_end", task=self.name, exc_info=error)
                    return
                self._note(failures.words(error), pause, error)
            else:
                if self._is_stopping:
                    return
                self._note("it ended", pause, None)
            if time.monotonic() - began >= SETTLED_SECONDS:
                pause = self._first_pause_seconds
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_SECONDS)
            self.failure = None

    def _note(self, failure: str, pause: float, error: BaseException | None) -> None:
        self.failure = failure
        metrics.BACKGROUND_FAILURES.labels(self.name).inc()
        log.error(
            "background_task_ended",
            task=self.name,
            reason=failure,
            begun_again_in_seconds=pause,
            exc_info=error,
        )


class BackgroundTasks:
    """The supervised tasks of a service, ended with the block."""

    def __init__(self, *, first_pause_seconds: float = FIRST_PAUSE_SECONDS) -> None:
        self._first_pause_seconds = first_pause_seconds
        self._tasks: list[BackgroundTask] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def end(self) -> None:
        """End all tasks, the latest first."""
        while self._tasks:
            await self._tasks.pop().stop()

    def start(self, name: str, work: Work, *, after_seconds: float = 0.0) -> BackgroundTask:
        """Begin the work; whoever stops it before all others does may keep what is returned."""
        task = BackgroundTask(
            name,
            work,
            first_pause_seconds=self._first_pause_seconds,
            after_seconds=after_seconds,
        )
        self._tasks.append(task)
        return task

    def tidy(self, name: str, work: Work) -> None:
        """Begin work that may as well be done somewhat later, as deleting what has expired."""
        self.start(name, work, after_seconds=TIDYING_AFTER_SECONDS)

    async def check(self) -> None:
        """Readiness. Raises BackgroundTaskDown, naming the tasks that wait to be begun again."""
        down = [f"{task.name} ({task.failure})" for task in self._tasks if task.failure is not None]
        if down:
            raise BackgroundTaskDown(f"not running: {', '.join(down)}")
