"""A worker process's life: task after task, and proofs in between that it is well."""

import mmap
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Generic, ParamSpec, TextIO, TypeVar

import structlog

from libs.common.errors import FindMeError, Unavailable
from libs.common.exhaustion import lacks_by_its_words
from libs.common.telemetry import failures, logs
from libs.common.workers import heap
from libs.common.workers.stages import Stage, take_stages

#: Uploads and lists stay quick while every core works on pictures.
NICENESS = 10
#: More than a picture of 100 megapixels takes. A process that may not have so much address space
#: may call a large picture damaged while small ones pass. It is only reserved, never touched.
ROOM_BYTES = 1 << 30
#: Of a traceback: libvips' words alone may be a line for each row of a picture.
MAX_NOTE_CHARACTERS = 4000
TO_READ = mmap.PROT_READ
TO_WRITE = mmap.PROT_READ | mmap.PROT_WRITE

P = ParamSpec("P")
A = TypeVar("A")

#: Makes what workers run; called once in each process, or in the one that they are copies of. So it
#: is picklable, and what it returns need not be.
Factory = Callable[[], Callable[P, A]]
#: Level and format of the service's log.
Logging = tuple[str, logs.LogFormat]
#: Has what a worker runs do a task that cannot fail where all is well; picklable.
Probe = Callable[[Callable[P, A]], object]


class Certain(Exception):
    """A task's error that follows from the bytes themselves, whatever process says it.

    Any other error may be the process's own: a decoder without memory says "damaged", too.
    """


class WorkerError(FindMeError):
    """The task's own error, of a kind that cannot leave its process: its name and its words."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[A]):
    """What a process says of a task: its result or its error, and the stages it went through."""

    stages: tuple[Stage, ...] = ()
    result: A | None = None
    error: Exception | None = None
    #: What the machine had no more of, where that is the error.
    lacks: str | None = None

    @property
    def is_in_doubt(self) -> bool:
        """Whether it is an error that says as much of the process as of the task."""
        return self.error is not None and not isinstance(self.error, (Certain, Unavailable))


@dataclass(frozen=True, slots=True)
class Prepared(Generic[P, A]):
    """What a process is to do task after task, and what it finds out by proofs."""

    work: Callable[P, A]
    probe: Probe[P, A] | None
    #: What kind of address space there was room for, see `prepare`.
    room: int

    def answer(self, connection: Connection) -> None:
        """Answer what is asked, until nobody can ask any more; None asks for a proof."""
        while True:
            try:
                asked = connection.recv()
            except EOFError:
                return
            try:
                if asked is None:
                    connection.send(Answer(result=self._proven()))
                else:
                    args, kwargs = asked
                    connection.send(Answer(result=self.work(*args, **kwargs), stages=take_stages()))
            except Exception as error:  # noqa: BLE001 - the parent raises it
                connection.send(failure(error))

    def _proven(self) -> bool:
        """Raise what the probe raises; return whether there is room for the largest tasks, too."""
        if self.probe is not None:
            self.probe(self.work)
        take_stages()
        return _has_room(self.room)


def serve(
    connection: Connection,
    words: Connection,
    factory: Factory[P, A],
    probe: Probe[P, A] | None,
    logging: Logging,
    name: str,
) -> None:
    """Make what the process runs and say so, then answer tasks."""
    log_file = own_log_file()
    print_to(words)
    call_process(name)
    with told(logging, log_file), exiting_with_parent():
        prepared = prepare(factory, probe, connection)
        if prepared is not None:
            connection.send(Answer())
            prepared.answer(connection)


def prepare(
    factory: Factory[P, A], probe: Probe[P, A] | None, connection: Connection
) -> Prepared[P, A] | None:
    """Be a process that gives way, and make what it runs; the parent is told where that fails."""
    # Ctrl-C reaches the whole process group; it is the parent that ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    # Where the kernel promises no memory that it may not have (vm.overcommit_memory=2), a machine
    # may refuse so much at any time: that it does so again is no evidence. A limit of address
    # space still is: what is only read is no memory, but such space.
    room = TO_WRITE if _has_room(TO_WRITE) else TO_READ
    heap.have_one_arena()
    try:
        work = factory()
    except Exception as error:  # noqa: BLE001 - the parent raises it
        connection.send(failure(error))
        return None
    heap.give_back_freed()
    return Prepared(work, probe, room)


def call_process(name: str) -> None:
    """Have `top`, and the kernel when memory runs out, call the process so, on Linux."""
    with suppress(OSError):
        # That of its thread: a process that has given root up may not open the other one.
        Path("/proc/thread-self/comm").write_text(name)


@contextmanager
def told(logging: Logging, log_file: TextIO) -> Iterator[None]:
    """Log where the parent's records go; so is an error that ends the process."""
    logs.configure(*logging, stream=log_file)
    logs.catch_crashes()
    try:
        yield
    except Exception as error:  # noqa: BLE001 - Python's own words of it quote what is in hand
        structlog.get_logger(__name__).critical("worker_failed", exc_info=error)
        logs.flush()
        raise SystemExit(1) from None


def own_log_file() -> TextIO:
    """Return standard error as it is, for later: what is printed goes elsewhere (`print_to`)."""
    return os.fdopen(os.dup(sys.stderr.fileno()), "w")


def print_to(words: Connection) -> None:
    """Have what is printed here go where it is bounded.

    A decoder may complain of each row of a picture: 20,000 lines in the service's own log.
    """
    # What does not fit is lost: nobody waits for a reader.
    os.set_blocking(words.fileno(), False)
    for printed in (1, 2):
        os.dup2(words.fileno(), printed)
    words.close()


def _has_room(protection: int) -> bool:
    """Whether there is address space for the largest tasks, for what the protection allows."""
    try:
        # Without MAP_NORESERVE a small machine may refuse what nobody uses.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
        mmap.mmap(-1, ROOM_BYTES, flags=flags, prot=protection).close()
    except OSError:
        return False
    return True


def failure(error: Exception) -> Answer[object]:
    """What the parent is told of it."""
    return Answer(error=_portable(error), lacks=lacks_by_its_words(error), stages=take_stages())


@contextmanager
def exiting_with_parent() -> Iterator[None]:
    """Have the process exit when the service is gone, whatever it does; of this no thread stays."""
    over, end = Pipe(duplex=False)
    thread = threading.Thread(
        target=_exit_with_parent, args=(over,), name="exit-with-parent", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        end.close()
        thread.join()
        over.close()


def _exit_with_parent(over: Connection) -> None:
    # A parent killed with -9 tells nobody, but its end of this pipe closes all the same.
    parent = parent_process()
    if parent is not None and parent.sentinel in wait([parent.sentinel, over]):
        os._exit(1)


def _portable(error: Exception) -> Exception:
    """Pickling drops the traceback; a note keeps its text.

    What cannot be pickled, or made again of it, is told by a WorkerError instead.
    """
    note = failures.note_of_worker(error)[:MAX_NOTE_CHARACTERS]
    error.add_note(note)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - an error's own methods may do anything
        substitute = WorkerError(failures.words(error))
        substitute.add_note(note)
        return substitute
    return error
