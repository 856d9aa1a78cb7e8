"""Starts workers as copies of one process: what all of them need is loaded, and kept, once.

A copy shares the pages that neither has written since, and is there in a millisecond
(docs/design/faces.md has figures). The price: all copies have the same addresses and canary, by
which an overflow is noticed. So those that follow one that crashed are copies of another process.
"""

import errno
import multiprocessing
import os
import signal
import socket
import sys
import threading
import weakref
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, wait
from typing import Final, Generic

import structlog

from libs.common.telemetry import logs
from libs.common.workers.errors import AskAgain, WorkerNotStarted, WorkersStopped
from libs.common.workers.forking import REPLY, serve_forks
from libs.common.workers.running import START_TIMEOUT_SECONDS, Running, spawned
from libs.common.workers.serving import A, Answer, Factory, P, Probe
from libs.common.workers.words import Words

#: A fork takes a millisecond on an idle core.
FORK_TIMEOUT_SECONDS: Final = 30.0
#: So long after a worker's end its template may take to say how it ended.
STATUS_TIMEOUT_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class Forked:
    """A worker, by a descriptor that nobody else has (pidfd_open(2)): it is another's child."""

    def __init__(self, pid: int, pidfd: int, end: Connection, template: Running) -> None:
        self.pid = pid
        self._pidfd = pidfd
        weakref.finalize(self, os.close, pidfd)
        #: Where its template says how it ended.
        self._end = end
        #: Kept: with it goes the pipe whose end tells all its copies that the service is gone.
        self.template = template
        self._exitcode: int | None = None

    @property
    def exitcode(self) -> int | None:
        """Of an ended process; None where nobody tells how it ended."""
        if self._exitcode is None and not self.is_alive():
            with suppress(EOFError, OSError):
                if self._end.poll(STATUS_TIMEOUT_SECONDS):
                    self._exitcode = self._end.recv()
        return self._exitcode

    def is_alive(self) -> bool:
        has_ended = bool(wait([self._pidfd], 0))
        if has_ended and self._exitcode is None:
            self._collect()
        return not has_ended

    def kill(self) -> None:
        with suppress(ProcessLookupError):  # it has ended
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _collect(self) -> None:
        """Take what is left of it, where its template has died and we are who gets orphans."""
        with suppress(ChildProcessError):
            ended = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
            if ended is not None:
                is_own = ended.si_code == os.CLD_EXITED
                self._exitcode = ended.si_status if is_own else -ended.si_status


class Template(Generic[P, A]):
    """A `Starter`. Its process starts with the first worker, and anew where it has died."""

    def __init__(self, factory: Factory[P, A], probe: Probe[P, A] | None, *, name: str) -> None:
        self._factory = factory
        self._probe = probe
        self._name = name
        #: Of whoever asks for a worker, or starts the process, which takes seconds.
        self._turn = threading.Lock()
        self._requests: socket.socket | None = None
        #: Between them and whoever stops it: nobody waits for anything while holding it.
        self._lock = threading.Lock()
        self._process: Running | None = None
        #: Those that nobody asks any more; each ends after its last worker.
        self._retired: list[Running] = []
        self._is_stopped = False

    def prepare(self) -> None:
        """See `Starter`."""
        with self._turn:
            self._ready()

    def start(self, connection: Connection, mouth: Connection) -> Running:
        """See `Starter`."""
        with self._turn:
            self._retired = [it for it in self._retired if not it.has_ended()]
            requests, template = self._ready()
            with ExitStack() as failed:
                end, told = multiprocessing.Pipe(duplex=False)
                failed.enter_context(end)
                with told:
                    pipes = connection, mouth, told
                    pid, pidfd = self._asked(requests, *(pipe.fileno() for pipe in pipes))
                failed.pop_all()
            return Running(Forked(pid, pidfd, end, template), self._name)

    def is_outdated(self, running: Running) -> bool:
        """See `Starter`: nobody would tell how one of a dead template ends, or count its memory."""
        handle = running.handle
        return isinstance(handle, Forked) and (
            handle.template is not self._process or handle.template.has_ended()
        )

    def renew(self, crashed: Running) -> None:
        """See `Starter`: others are not to have the addresses that a decoder may have told."""
        with self._turn:
            template = self._process
            if isinstance(crashed.handle, Forked) and crashed.handle.template is template:
                self._close()
                with self._lock:
                    # It goes on to tell how its other workers end.
                    self._retired.append(template)
                    self._process = None

    def stop(self) -> None:
        """See `Starter`."""
        with self._lock:
            self._is_stopped = True
            if self._process is not None:
                self._process.kill()
        with self._turn:
            self._leave()
            for process in self._retired:
                process.end()

    def _ready(self) -> tuple[socket.socket, Running]:
        """Return how the process is asked, and itself. Raises what the factory raises."""
        if self._requests is not None and self._process is not None and self._process.has_ended():
            self._lost(f"it ended: {_status_name(self._process.exitcode)}")
        if self._requests is None or self._process is None:
            self._requests, self._process = self._started()
        return self._requests, self._process

    def _asked(self, requests: socket.socket, *descriptors: int) -> tuple[int, int]:
        """Have it make one with these; return its pid and a descriptor of it.

        Raises OSError where there is no room for one, and AskAgain.
        """
        try:
            socket.send_fds(requests, [b"\0"], descriptors)
            reply, pidfds, *_ = socket.recv_fds(requests, REPLY.size, 1)
        except TimeoutError as error:
            raise self._lost(f"it gave no answer in {FORK_TIMEOUT_SECONDS:g} seconds") from error
        except OSError as error:
            raise self._lost("it ended") from error
        except BaseException:
            # What it replies would be taken for the next one's.
            self._leave()
            raise
        if len(reply) < REPLY.size:
            raise self._lost("it ended")
        (pid,) = REPLY.unpack(reply)
        # One whose descriptor we have no room for ends with our end of its connection.
        number = -pid if pid < 0 else 0 if pidfds else errno.EMFILE
        if number:
            raise OSError(number, os.strerror(number))
        return pid, pidfds[0]

    def _lost(self, why: str) -> AskAgain:
        """Leave the process. It may have made a worker, which has the same pipes."""
        log.warning("template_replaced", worker=self._name, reason=why)
        self._leave()
        return AskAgain()

    def _started(self) -> tuple[socket.socket, Running]:
        """Start the process, and wait until it can be copied."""
        name = f"template of {self._name}s"
        with ExitStack() as failed, ExitStack() as done:
            try:
                ours, theirs = socket.socketpair()
                failed.enter_context(ours)
                done.enter_context(theirs)
                ready, told = multiprocessing.Pipe(duplex=False)
                done.enter_context(ready)
                done.enter_context(told)
                words = done.enter_context(Words())
                self._check_not_stopped()
                arguments = (self._factory, self._probe, logs.configured(), self._name)
                process = spawned(name, serve_forks, theirs, told, words.mouth, *arguments)
            except OSError as error:
                raise self._not_started(f"its template could not be started: {error}") from error
            failed.callback(process.end)
            for its in (theirs, told, words.mouth):
                its.close()
            with self._lock:
                self._process = process
                if self._is_stopped:
                    process.kill()
            try:
                answer: Answer[object] | None = (
                    ready.recv() if ready.poll(START_TIMEOUT_SECONDS) else None
                )
            except (EOFError, OSError) as error:
                words.tell("worker_last_words", name)
                self._check_not_stopped()
                raise self._not_started("its template died") from error
            if answer is None:
                raise self._not_started("its template took too long")
            if answer.error is not None:
                raise answer.error
            words.tell("worker_said", name)
            ours.settimeout(FORK_TIMEOUT_SECONDS)
            failed.pop_all()
        return ours, process

    def _not_started(self, reason: str) -> WorkerNotStarted:
        return WorkerNotStarted(f"a {self._name} did not start: {reason}")

    def _check_not_stopped(self) -> None:
        if self._is_stopped:
            raise WorkersStopped(f"the {self._name}s are being stopped")

    def _leave(self) -> None:
        self._close()
        if self._process is not None:
            self._process.end()

    def _close(self) -> None:
        if self._requests is not None:
            self._requests.close()
            self._requests = None


def _status_name(status: int | None) -> str:
    if status is None:
        return "nobody knows how"
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def can_copy() -> bool:
    """Whether this system lets a process be copied, and named beyond doubt, as is done here.

    No other than Linux does: libraries of theirs may not be used after a fork.
    """
    if sys.platform != "linux" or not hasattr(signal, "pidfd_send_signal"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):  # an old kernel, or one that is told to refuse it
        return False
    return True
