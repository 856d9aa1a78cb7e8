"""What the tests' workers run: they do what a task's name says, as native code does it unasked."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from libs.common.errors import PermanentError
from libs.common.workers.pool import PoolMetrics, WorkerPool
from libs.common.workers.stages import stage


class NoPicture(PermanentError):
    """Refused by the task itself."""


class CannotStart(Exception):
    """Refused by the factory."""


class UnpicklableBug(Exception):
    """An error that holds what cannot go to another process."""


class BugOfTwoArguments(Exception):
    """An error that goes to another process, and cannot be made there again."""

    def __init__(self, what: str, more: str) -> None:
        super().__init__(f"{what} {more}")


@dataclass(frozen=True)
class Done:
    """Who did a task, and how they ran."""

    name: str
    worker: int
    niceness: int


def obey(task: Path) -> Done:
    match task.name:
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            # As native code does: not even SIGTERM is heard.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            task.with_name("hanging").touch()
            time.sleep(3600)
        case "bad":
            with stage("decode"):
                raise NoPicture("The file is empty.")
        case "bug":
            raise ZeroDivisionError("a bug")
        case "unpicklable bug":
            raise UnpicklableBug("a lock", threading.Lock())
        case "bug of two arguments":
            raise BugOfTwoArguments("a bug", "of two arguments")
        case "large":
            return Done("x" * 1_000_000, 0, 0)
    with stage("decode"), stage("look"):
        return Done(name=task.name, worker=os.getpid(), niceness=os.nice(0))


def obedient() -> Callable[[Path], Done]:
    return obey


def refuse() -> Callable[[Path], Done]:
    raise CannotStart("the model is missing")


def die() -> Callable[[Path], Done]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def obedient_pool(
    processes: int = 1,
    *,
    timeout_seconds: float = 60.0,
    max_tasks: int | None = None,
    is_lazy: bool = False,
    metrics: PoolMetrics | None = None,
) -> WorkerPool[[Path], Done]:
    return WorkerPool(
        processes,
        obedient,
        name="test worker",
        timeout_seconds=timeout_seconds,
        max_tasks=max_tasks,
        is_lazy=is_lazy,
        metrics=metrics,
    )
