"""One worker process, its pipe, what runs at the other end of it, and what that spends time on."""

import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, ParamSpec, TypeVar

from libs.common.errors import FindMeError, TransientError, Unavailable

#: Uploads and lists stay quick while every core works on pictures.
NICENESS = 10
#: Includes the imports and the first conversion of a model, on a machine that is busy.
START_TIMEOUT_SECONDS = 120.0

P = ParamSpec("P")
A = TypeVar("A")

#: Makes what a worker runs; called once in each process, so it is picklable, and what it
#: returns need not be.
Factory = Callable[[], Callable[P, A]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of an analysis; nanoseconds of the epoch, which all processes of a machine share."""

    name: str
    began_ns: int
    ended_ns: int


#: Of the analysis in hand: a worker does one at a time, on one thread.
_stages: list[Stage] = []


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure the block; one that fails was a part as well."""
    began = time.time_ns()
    try:
        yield
    finally:
        _stages.append(Stage(name, began, time.time_ns()))


def take_stages() -> tuple[Stage, ...]:
    """Return what was measured since the last time, and forget it."""
    taken = tuple(_stages)
    _stages.clear()
    return taken


class WorkerCrashed(TransientError):
    """The process died over this task (a decoder's crash, out of memory)."""


class WorkerTimedOut(TransientError):
    """The task took longer than allowed; its process was killed."""


class WorkerError(FindMeError):
    """The task's own error, of a kind that cannot leave its process: its name and its words."""


class WorkerNotStarted(Unavailable):
    """The process died, or hung, before it could be given the task: no fault of the task's."""


class WorkersStopped(Unavailable):
    """The pool was stopped with the task in hand: no fault of the task's."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[A]):
    """What a process says of a task: its result or its error, and the stages it went through."""

    stages: tuple[Stage, ...] = ()
    result: A | None = None
    error: Exception | None = None


class WorkerProcess(Generic[P, A]):
    """A process that is started anew when it is found dead. Used by one thread at once."""

    def __init__(
        self, factory: Factory[P, A], *, name: str, timeout_seconds: float, max_tasks: int | None
    ) -> None:
        self._factory = factory
        self._name = name
        self._timeout_seconds = timeout_seconds
        self._max_tasks = max_tasks
        self._tasks = 0
        self._connection: Connection | None = None
        self._process: SpawnProcess | None = None
        # Between the thread that starts processes and those that end them.
        self._lock = threading.Lock()
        self._is_stopped = False
        #: It may still look alive: a signal takes a while.
        self._is_killed = False

    def start(self) -> Connection:
        """Start the process and wait until it is ready; raises what the factory raises."""
        self._tasks = 0
        connection = self._connection = self._spawn()
        try:
            ready = self._receive(connection, START_TIMEOUT_SECONDS)
        except (WorkerCrashed, WorkerTimedOut) as error:
            msg = f"a {self._name} did not start: {error}"
            raise WorkerNotStarted(msg) from error
        if ready.error is not None:
            self._leave()
            raise ready.error
        return connection

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Answer[A]:
        """Have the process do a task; its own error is in the answer.

        Raises WorkerCrashed, WorkerTimedOut, WorkerNotStarted, WorkersStopped and, where a
        process had to be started, what the factory raises.
        """
        connection = self._connection
        # An idle process says nothing: what can be read there is the end of a dead one's pipe.
        if connection is None or self._is_killed or connection.poll():
            self._leave()
            connection = self.start()
        try:
            connection.send((args, kwargs))
        except OSError as error:
            self._leave()
            raise self._ended() from error
        answer = self._receive(connection, self._timeout_seconds)
        self._tasks += 1
        if self._max_tasks is not None and self._tasks >= self._max_tasks:
            self._leave()
        return answer

    def kill(self) -> None:
        """End the process at once (native code hears no gentler signal); from any thread.

        Its end is not waited for: the thread that uses it notices, and does that.
        """
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._is_killed = True

    def stop(self) -> None:
        """End the process and start none again; from any thread."""
        self._is_stopped = True
        self._end()

    def _end(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.join()

    def _spawn(self) -> Connection:
        # Spawned, not forked: the parent has threads, an event loop and database connections.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        with self._lock, theirs:
            if self._is_stopped:
                ours.close()
                raise self._ended()
            process = context.Process(
                target=_serve, args=(theirs, self._factory), name=self._name, daemon=True
            )
            process.start()
            self._process = process
            self._is_killed = False
        return ours

    def _receive(self, connection: Connection, timeout_seconds: float) -> Answer[A]:
        try:
            if not connection.poll(timeout_seconds):
                self._leave()
                msg = f"a {self._name} gave no answer in {timeout_seconds:g} seconds"
                raise WorkerTimedOut(msg)
            answer: Answer[A] = connection.recv()
        except (EOFError, OSError) as error:
            self._leave()
            raise self._ended() from error
        return answer

    def _leave(self) -> None:
        """End this process and its pipe; the next task starts another."""
        self._end()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ended(self) -> FindMeError:
        if self._is_stopped:
            return WorkersStopped(f"the {self._name}s are being stopped")
        return WorkerCrashed(f"a {self._name} died before it could answer")


def _serve(connection: Connection, factory: Factory[P, A]) -> None:
    """A process's life: make what it runs and say so, then answer task after task."""
    # Ctrl-C reaches the whole process group; it is the parent that ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    threading.Thread(target=_exit_with_parent, name="exit-with-parent", daemon=True).start()
    try:
        work = factory()
    except Exception as error:  # noqa: BLE001 - the parent raises it
        connection.send(Answer(error=_portable(error)))
        return
    connection.send(Answer())
    while True:
        try:
            args, kwargs = connection.recv()
        except EOFError:
            return
        try:
            connection.send(Answer(result=work(*args, **kwargs), stages=take_stages()))
        except Exception as error:  # noqa: BLE001 - the parent raises it
            connection.send(Answer(error=_portable(error), stages=take_stages()))


def _exit_with_parent() -> None:
    """Exit when the parent is gone."""
    # A parent killed with -9 tells nobody, but its end of this pipe closes all the same.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _portable(error: Exception) -> Exception:
    """Pickling drops the traceback; a note keeps its text.

    What cannot be pickled, or made again of it, is told by a WorkerError instead.
    """
    note = f"in the worker process:\n{''.join(traceback.format_exception(error))}"
    error.add_note(note)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - an error's own methods may do anything
        substitute = WorkerError(f"{type(error).__name__}: {error}")
        substitute.add_note(note)
        return substitute
    return error
