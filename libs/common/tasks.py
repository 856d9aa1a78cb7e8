"""Tasks that are told to end, and waits that can be told.

A cancellation may be lost on its way: a driver takes it for its own, or `asyncio.wait_for` of
Python 3.11 returns what came at the same moment. Whoever cancels once and waits, waits for ever.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog

log = structlog.get_logger(__name__)

#: Most tasks end within milliseconds; a driver may take some seconds to hang up.
AGAIN_SECONDS = 5.0
#: One that goes on after so many words is left to the end of the process.
TRIES = 6
#: Of where it waits, so many are told.
PLACES = 4


async def end(*tasks: "asyncio.Future[Any]", again_seconds: float = AGAIN_SECONDS) -> None:
    """Cancel the tasks and wait until they have ended; what they end by is not raised.

    One that goes on is cancelled again, and told of. Whoever is cancelled while it waits here
    cancels them again, too, and leaves when they have ended.
    """
    pending = _running(tasks)
    was_cancelled: asyncio.CancelledError | None = None
    for number in range(1, TRIES + 1):
        if not pending:
            break
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=again_seconds)
        except asyncio.CancelledError as error:
            was_cancelled = error
            pending = _running(pending)
        else:
            for task in pending:
                log.warning("task_goes_on", task=_name(task), at=_place(task), told_times=number)
    for task in pending:
        log.error("task_not_ended", task=_name(task), at=_place(task))
    for task in tasks:
        _look_at(task)
    if was_cancelled is not None:
        raise was_cancelled


async def happens(event: asyncio.Event, *, within_seconds: float) -> bool:
    """Wait for the event; return whether it came in time."""
    try:
        async with asyncio.timeout(within_seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _running(tasks: "Iterable[asyncio.Future[Any]]") -> "set[asyncio.Future[Any]]":
    return {task for task in tasks if not task.done()}


def _look_at(task: "asyncio.Future[Any]") -> None:
    """Have asyncio not complain of an error that nobody asks for."""
    if task.done() and not task.cancelled():
        task.exception()


def _name(task: "asyncio.Future[Any]") -> str:
    return task.get_name() if isinstance(task, asyncio.Task) else type(task).__name__


def _place(task: "asyncio.Future[Any]") -> str | None:
    """Return where the task waits: the innermost of its coroutines, which wait for each other."""
    if not isinstance(task, asyncio.Task):
        return None
    places: list[str] = []
    coroutine: object = task.get_coro()
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        places.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        coroutine = getattr(coroutine, "cr_await", None)
    return ", ".join(places[-PLACES:])
