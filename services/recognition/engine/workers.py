"""Worker processes for native image code: a crash costs one worker and one photo, nothing else.

Every worker has a pipe of its own. In a pool that shares one pipe and its lock (concurrent.futures,
pebble), a worker that the kernel kills at the wrong moment, or while idle, breaks all of them.
"""

import asyncio
import contextvars
import functools
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from libs.common.errors import TransientError
from libs.common.telemetry import tracing
from services.recognition import metrics
from services.recognition.engine.analysis import Engine
from services.recognition.engine.stages import Stage, take_stages

# Uploads and lists stay quick while every core analyses photos.
_NICENESS = 10
# Includes the imports and the first conversion of the model, on a machine that is busy.
_START_TIMEOUT_SECONDS = 120.0


class WorkerCrashed(TransientError):
    """The worker process died under this photo (a decoder's crash, out of memory)."""


class WorkerTimedOut(TransientError):
    """The photo took longer than allowed; its worker was killed."""


A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class Work(Protocol[A_co]):
    """What runs inside a worker."""

    def analyze(self, path: Path) -> A_co:
        """Make something of one photo; raises PermanentError for a file that is none."""
        ...


#: Makes the face engine of a worker.
EngineFactory = Callable[[], Engine]


class WorkerPool(Generic[A]):
    """`processes` spawned workers, each with an engine of its own, used from asyncio.

    How many photos wait for a free worker is bounded by the callers: each holds a message.
    """

    def __init__(
        self,
        processes: int,
        *,
        timeout_seconds: float = 60.0,
        engine_factory: Callable[[], Work[A]],
    ) -> None:
        """`engine_factory` is called once in every worker, so it must be picklable."""
        self._timeout_seconds = timeout_seconds
        self._workers: list[_Worker[A]] = [_Worker(engine_factory) for _ in range(processes)]
        self._idle: asyncio.Queue[_Worker[A]] = asyncio.Queue()
        # One thread per worker waits on its pipe; the loop's own executor is for short things.
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="face-worker")

    async def __aenter__(self) -> Self:
        """Start all workers; raises what the engine factory raises (`ModelUnusable`)."""
        loop = asyncio.get_running_loop()
        try:
            await asyncio.gather(
                *(loop.run_in_executor(self._threads, worker.start) for worker in self._workers)
            )
        except BaseException:
            self._stop()
            raise
        for worker in self._workers:
            self._idle.put_nowait(worker)
        metrics.WORKERS.inc(len(self._workers))
        return self

    async def __aexit__(self, *_: object) -> None:
        metrics.WORKERS.dec(len(self._workers))
        # What still runs by now is given up; its message will be delivered again.
        self._stop()

    async def analyze(self, path: Path) -> A:
        """Analyze a photo in the next free worker; cancelling kills that worker.

        Raises what the engine raises (`PermanentError` for a bad photo), `WorkerCrashed` or
        `WorkerTimedOut`.
        """
        worker = await self._idle.get()
        # The thread records the worker's stages within the caller's span.
        context = contextvars.copy_context()
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, context.run, worker.analyze, path, self._timeout_seconds
        )
        metrics.WORKERS_BUSY.inc()
        # Also when the caller is cancelled, the worker is free only when its thread is.
        work.add_done_callback(functools.partial(self._release, worker))
        try:
            return await asyncio.shield(work)
        except WorkerCrashed:
            metrics.WORKERS_LOST.labels("crashed").inc()
            raise
        except WorkerTimedOut:
            metrics.WORKERS_LOST.labels("timed_out").inc()
            raise
        except asyncio.CancelledError:
            worker.kill()
            raise

    def _release(self, worker: "_Worker[A]", work: asyncio.Future[A]) -> None:
        metrics.WORKERS_BUSY.dec()
        if not work.cancelled():
            work.exception()  # marks it as seen: nobody waits for a cancelled caller's work
        self._idle.put_nowait(worker)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)


class _Worker(Generic[A]):
    """One process and its pipe; started again when it is found dead. Used by one thread at once."""

    def __init__(self, engine_factory: Callable[[], Work[A]]) -> None:
        self._engine_factory = engine_factory
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def start(self) -> Connection:
        # Spawned, not forked: the parent has threads, an event loop and database connections.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self._engine_factory), name="face-worker", daemon=True
        )
        self._process.start()
        theirs.close()
        self._connection = ours
        self._receive(ours, _START_TIMEOUT_SECONDS)
        return ours

    def analyze(self, path: Path, timeout_seconds: float) -> A:
        connection = self._connection
        # An idle worker says nothing: what can be read there is the end of a dead one's pipe.
        if connection is None or connection.poll():
            connection = self.start()
        try:
            connection.send(path)
        except OSError as error:
            raise _crashed() from error
        analysis = self._receive(connection, timeout_seconds)
        if analysis is None:
            raise RuntimeError("a worker answered a photo with nothing")
        return analysis

    def kill(self) -> None:
        """End the process at once (native code hears no gentler signal); from any thread."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def _receive(self, connection: Connection, timeout_seconds: float) -> A | None:
        try:
            if not connection.poll(timeout_seconds):
                self.kill()
                raise WorkerTimedOut(f"a face worker gave no answer in {timeout_seconds:g} seconds")
            answer: A | Exception | None
            stages: tuple[Stage, ...]
            answer, stages = connection.recv()
        except (EOFError, OSError) as error:
            self.kill()
            raise _crashed() from error
        for stage in stages:
            tracing.past(stage.name, stage.began_ns, stage.ended_ns)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _crashed() -> WorkerCrashed:
    return WorkerCrashed("a face worker died before it could answer")


def _serve(connection: Connection, engine_factory: Callable[[], Work[object]]) -> None:
    """A worker's life: build the engine and say so, then answer every path with its analysis."""
    # Ctrl-C reaches the whole process group; it is the parent that ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    threading.Thread(target=_exit_with_parent, name="exit-with-parent", daemon=True).start()
    try:
        engine = engine_factory()
    except Exception as error:  # noqa: BLE001 - the parent raises it
        connection.send((_portable(error), ()))
        return
    connection.send((None, ()))
    while True:
        try:
            path: Path = connection.recv()
        except EOFError:
            return
        try:
            answer = engine.analyze(path)
            connection.send((answer, take_stages()))
        except Exception as error:  # noqa: BLE001 - the parent raises it
            connection.send((_portable(error), take_stages()))


def _exit_with_parent() -> None:
    """Exit when the parent is gone."""
    # A parent killed with -9 tells nobody, but its end of this pipe closes all the same.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _portable(error: Exception) -> Exception:
    """Pickling drops the traceback; a note keeps its text."""
    error.add_note(f"in the worker process:\n{''.join(traceback.format_exception(error))}")
    return error
