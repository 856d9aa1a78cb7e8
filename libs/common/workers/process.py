"""One worker process as its parent sees it: started, asked by its pipe, ended, started anew."""

import multiprocessing
import os
import signal
import socket
import struct
import threading
from multiprocessing.connection import Connection
from typing import Generic

import structlog

from libs.common.errors import FindMeError, Unavailable
from libs.common.workers.errors import (
    AskAgain,
    WorkerCrashed,
    WorkerKilled,
    WorkerNotStarted,
    WorkersStopped,
    WorkerTimedOut,
)
from libs.common.workers.running import START_TIMEOUT_SECONDS, Running
from libs.common.workers.serving import A, Answer, P
from libs.common.workers.starting import Starter
from libs.common.workers.words import Words

#: For a task that takes a second on an idle core.
PROOF_TIMEOUT_SECONDS = 60.0
#: A process whose pipe has ended is ending: so long it may take until it is helped.
DEATH_SECONDS = 1.0
#: The rest of a message comes at once after its beginning, unless the process is frozen.
MESSAGE_SECONDS = 30.0
#: Sent by others, the kernel above all when memory runs out; native code dies by other signals.
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM})

log = structlog.get_logger(__name__)


class WorkerProcess(Generic[P, A]):
    """A process that is started anew when it is found dead. Used by one thread at once."""

    def __init__(
        self,
        starter: Starter,
        *,
        name: str,
        timeout_seconds: float,
        max_tasks: int | None,
    ) -> None:
        self.name = name
        self._starter = starter
        self._timeout_seconds = timeout_seconds
        self._max_tasks = max_tasks
        self._tasks = 0
        self._connection: Connection | None = None
        self._process: Running | None = None
        self._words: Words | None = None
        # Between the thread that starts processes and those that end them, event loops among
        # them: nobody waits for anything while holding it.
        self._lock = threading.Lock()
        self._is_stopped = False
        #: Nobody waits for the task in hand, or to come, any more.
        self._is_given_up = False
        #: It was killed over one. It may still look alive: a signal takes a while.
        self._is_killed = False

    def start(self) -> Connection:
        """Start the process and wait until it is ready; raises what the factory raises."""
        self._tasks = 0
        with self._lock:
            self._check_wanted()
            self._process = None
            self._is_killed = False
        self._starter.prepare()
        try:
            connection = self._connection = self._started()
            ready = self._receive(connection, START_TIMEOUT_SECONDS)
        except (WorkerCrashed, WorkerTimedOut, OSError) as error:
            msg = f"a {self.name} did not start: {error}"
            raise WorkerNotStarted(msg) from error
        if ready.error is not None:
            self._leave()
            raise ready.error
        self._tell_words("worker_said")
        return connection

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Answer[A]:
        """Have the process do a task; its own error is in the answer.

        Raises WorkerCrashed, WorkerKilled, WorkerTimedOut, WorkerNotStarted and WorkersStopped.
        """
        connection = self._ready()
        answer = self._ask(connection, (args, kwargs), self._timeout_seconds)
        if self._words is not None:
            self._words.hear()  # of a picture that has its answer, nobody wants to know
        self._tasks += 1
        if self._max_tasks is not None and self._tasks >= self._max_tasks:
            self._leave()
        return answer

    def prove(self, *, anew: bool = False) -> bool:
        """Have the process, or with `anew` another one, do what all can do.

        Return whether it has room for the largest tasks, too. Raises WorkerNotStarted where it
        cannot do it, and WorkersStopped.
        """
        if anew:
            self._leave()
        connection = self._ready()
        try:
            proof = self._ask(connection, None, PROOF_TIMEOUT_SECONDS)
        except (WorkerCrashed, WorkerTimedOut) as error:
            msg = f"a {self.name} cannot do what all can: {error}"
            raise WorkerNotStarted(msg) from error
        if proof.error is not None:
            self._leave()
            msg = f"a {self.name} cannot do what all can: {proof.error}"
            raise WorkerNotStarted(msg) from proof.error
        return bool(proof.result)

    def is_well(self) -> bool:
        """Whether this very process, which has just answered, can do what all can."""
        if self._connection is None:
            return False
        try:
            return self.prove()
        except WorkerNotStarted:
            return False

    def take(self) -> None:
        """Begin with a task; whoever gives it up calls `kill`."""
        with self._lock:
            self._is_given_up = False

    def kill(self) -> None:
        """End the process at once (native code hears no gentler signal); from any thread.

        Its end is not waited for: the thread that uses it notices, and does that.
        """
        with self._lock:
            # One that is being started is killed as soon as it can be.
            self._is_given_up = self._is_killed = True
            if self._process is not None:
                self._process.kill()

    def stop(self) -> None:
        """End the process and start none again; from any thread."""
        with self._lock:
            self._is_stopped = True
        self._end()

    def _ready(self) -> Connection:
        """Return the process's pipe, a new one's where it is dead. Raises WorkerNotStarted."""
        connection, process = self._connection, self._process
        if connection is not None and process is not None and not self._is_killed:
            # An idle process says nothing: what can be read is the end of a dead one's pipe.
            if connection.poll():
                error = self._leave_dying()
                log.warning("worker_died", worker=self.name, error=error)
            elif not self._starter.is_outdated(process):
                return connection
        self._leave()
        try:
            return self.start()
        except Unavailable:
            raise
        except Exception as error:
            # The pool has started with this factory: what is missing now is no task's fault.
            msg = f"a {self.name} did not start: {error}"
            raise WorkerNotStarted(msg) from error

    def _end(self, *, after_seconds: float = 0) -> None:
        """End the process; one that is ending may have a moment."""
        process = self._process
        if process is not None:
            process.end(after_seconds=after_seconds)

    def _started(self) -> Connection:
        try:
            return self._started_by_new_pipes()
        except AskAgain:
            pass
        try:
            return self._started_by_new_pipes()
        except AskAgain as error:
            msg = f"a {self.name} did not start: what it is to be a copy of did not answer twice"
            raise WorkerNotStarted(msg) from error

    def _started_by_new_pipes(self) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        self._words = words = Words()
        try:
            with theirs, words.mouth:
                _limit_messages(ours)
                process = self._starter.start(theirs, words.mouth)
            with self._lock:
                self._process = process
                if self._is_given_up or self._is_stopped:
                    process.kill()
        except BaseException:
            ours.close()
            self._close()
            raise
        return ours

    def _ask(self, connection: Connection, asked: object, timeout_seconds: float) -> Answer[A]:
        try:
            connection.send(asked)
        except OSError as error:
            raise self._leave_dying() from error
        return self._receive(connection, timeout_seconds)

    def _receive(self, connection: Connection, timeout_seconds: float) -> Answer[A]:
        try:
            answer: Answer[A] | None = (
                connection.recv() if connection.poll(timeout_seconds) else None
            )
        except BlockingIOError as error:
            self._leave()
            msg = f"a {self.name} stopped in the middle of its answer"
            raise WorkerTimedOut(msg) from error
        except (EOFError, OSError) as error:
            raise self._leave_dying() from error
        except BaseException:
            # We have no memory for the answer, maybe: what is left of it is nobody's.
            self._leave()
            raise
        if answer is None:
            self._leave()
            msg = f"a {self.name} gave no answer in {timeout_seconds:g} seconds"
            raise WorkerTimedOut(msg)
        return answer

    def _leave(self) -> None:
        """End this process and its pipe; the next task starts another."""
        self._end()
        self._close()

    def _leave_dying(self) -> FindMeError:
        """Leave a process whose pipe has ended; return how it died."""
        self._end(after_seconds=DEATH_SECONDS)
        self._tell_words("worker_last_words")
        self._close()
        if self._is_stopped:
            return self._stopped()
        process = self._process
        status = None if process is None else process.exitcode
        is_own = status is not None and status < 0 and -status not in _FROM_OUTSIDE
        if process is not None and (is_own or status is None):
            self._starter.renew(process)
        if status is not None and is_own:
            name = signal.Signals(-status).name
            return WorkerCrashed(f"a {self.name} died before it could answer: {name}")
        return WorkerKilled(f"a {self.name} died before it could answer: it was ended")

    def _tell_words(self, event: str) -> None:
        if self._words is not None:
            self._words.tell(event, self.name)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._words is not None:
            self._words.close()
            self._words = None

    def _check_wanted(self) -> None:
        if self._is_stopped or self._is_given_up:
            raise self._stopped()

    def _stopped(self) -> WorkersStopped:
        return WorkersStopped(f"the {self.name}s are being stopped")


def _limit_messages(pipe: Connection) -> None:
    """Have reads and writes of the pipe fail (BlockingIOError) where the other end is frozen."""
    limit = struct.pack("@ll", *divmod(int(MESSAGE_SECONDS * 1e6), 1_000_000))
    with socket.socket(fileno=os.dup(pipe.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
