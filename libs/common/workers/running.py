"""A process that runs, as those see it who started it, wait for its end and may kill it."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from typing import Protocol

import structlog

#: Includes the imports and the first conversion of a model, on a machine that is busy.
START_TIMEOUT_SECONDS = 120.0
#: One that was killed is gone in milliseconds, unless the kernel itself waits in it (for a disk).
KILL_SECONDS = 10.0
#: Between two looks whether a process has ended; less at first.
LOOK_EVERY_SECONDS = 0.02

log = structlog.get_logger(__name__)


class Handle(Protocol):
    """What ends a process and collects it: of the standard library, or as good as that."""

    @property
    def pid(self) -> int | None: ...

    @property
    def exitcode(self) -> int | None:
        """Of an ended process: its status, or a signal's number, negative."""
        ...

    def is_alive(self) -> bool: ...

    def kill(self) -> None: ...


class Running:
    """One thread waits for its end; any may kill it."""

    def __init__(self, handle: Handle, name: str) -> None:
        self.handle = handle
        self._name = name
        # So that nobody kills whoever has its number next. Nobody waits while holding it.
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        return self.handle.pid or 0

    def kill(self) -> None:
        """End the process at once (native code hears no gentler signal), without waiting."""
        with self._lock:
            self.handle.kill()

    @property
    def exitcode(self) -> int | None:
        """As its handle's; None for one that not even the kernel could end."""
        return self.handle.exitcode

    def end(self, *, after_seconds: float = 0) -> None:
        """End the process; one that is ending may have a moment."""
        if not self.has_ended(after_seconds):
            self.kill()
            if not self.has_ended(KILL_SECONDS):
                log.error("worker_left", worker=self._name, pid=self.pid)

    def has_ended(self, within_seconds: float = 0) -> bool:
        """Whether the process ends by then; it is collected.

        By looking, as `join` has no limit: it waits for the pipe that ends with the process, and
        then for the process, which may have closed its descriptors and live on.
        """
        deadline = time.monotonic() + within_seconds
        pause = 0.001
        while True:
            with self._lock:
                if not self.handle.is_alive() or not _exists(self.pid):
                    return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(2 * pause, LOOK_EVERY_SECONDS)


def spawned(name: str, target: Callable[..., None], *args: object) -> Running:
    """Start a process of an interpreter of its own that calls the target. Raises OSError."""
    # Not forked: we have threads, an event loop and database connections.
    context = multiprocessing.get_context("spawn")
    process: SpawnProcess = context.Process(target=target, args=args, name=name, daemon=True)
    process.start()
    return Running(process, name)


def _exists(pid: int) -> bool:
    """Whether there is such a process; false where it was collected by somebody else."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
