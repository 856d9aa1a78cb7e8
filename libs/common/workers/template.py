"""Starts workers as copies of one process: what all of them need is loaded, and kept, once.

A copy shares the pages that neither has written since, and is there in a millisecond. Two face
workers and their template take 770 MB after 60 photos each; two that had loaded all for themselves
took 1,030. The price: all copies have the same layout of addresses.
"""

import multiprocessing
import os
import signal
import socket
import threading
import weakref
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, wait
from typing import Final, Generic

import structlog

from libs.common.telemetry import logs
from libs.common.workers.errors import WorkerNotStarted, WorkersStopped
from libs.common.workers.forking import REPLY, serve_forks
from libs.common.workers.running import Running, spawned
from libs.common.workers.serving import A, Answer, Factory, P, Probe
from libs.common.workers.words import Words

#: Includes the imports and the first conversion of a model, on a machine that is busy.
START_TIMEOUT_SECONDS: Final = 120.0
#: A fork takes a millisecond on an idle core.
FORK_TIMEOUT_SECONDS: Final = 30.0
#: So long after a worker's end its template may take to say how it ended.
STATUS_TIMEOUT_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class Forked:
    """A worker, by a descriptor that nobody else has (pidfd_open(2)): it is another's child."""

    def __init__(self, pid: int, pidfd: int, end: Connection) -> None:
        self.pid = pid
        self._pidfd = pidfd
        weakref.finalize(self, os.close, pidfd)
        #: Where its template says how it ended.
        self._end = end
        self._exitcode: int | None = None

    @property
    def exitcode(self) -> int | None:
        """Of an ended process; as of one that was killed, where the template has ended, too."""
        if self._exitcode is None and not self.is_alive():
            try:
                is_told = self._end.poll(STATUS_TIMEOUT_SECONDS)
                self._exitcode = self._end.recv() if is_told else -signal.SIGKILL
            except (EOFError, OSError):
                self._exitcode = -signal.SIGKILL
        return self._exitcode

    def is_alive(self) -> bool:
        return not wait([self._pidfd], 0)

    def kill(self) -> None:
        with suppress(ProcessLookupError):  # it has ended
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)


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
        self._is_stopped = False

    def prepare(self) -> None:
        """See `Starter`."""
        with self._turn:
            if self._requests is None:
                self._requests = self._started()

    def start(self, connection: Connection, mouth: Connection) -> Running:
        """See `Starter`."""
        with self._turn:
            if self._requests is not None:
                try:
                    return self._forked(self._requests, connection, mouth)
                except (EOFError, OSError) as error:
                    log.warning("template_replaced", worker=self._name, error=error)
                    self._leave()
            self._requests = self._started()
            return self._forked(self._requests, connection, mouth)

    def stop(self) -> None:
        """See `Starter`."""
        with self._lock:
            self._is_stopped = True
            if self._process is not None:
                self._process.kill()
        with self._turn:
            self._leave()

    def _forked(
        self, requests: socket.socket, connection: Connection, mouth: Connection
    ) -> Running:
        end, told = multiprocessing.Pipe(duplex=False)
        with ExitStack() as failed:
            failed.enter_context(end)
            with told:
                descriptors = [connection.fileno(), mouth.fileno(), told.fileno()]
                socket.send_fds(requests, [b"\0"], descriptors)
            reply, pidfds, *_ = socket.recv_fds(requests, REPLY.size, 1)
            if not reply:
                raise EOFError(f"the template of {self._name}s has died")
            (pid,) = REPLY.unpack(reply)
            if pid < 0:
                raise OSError(-pid, os.strerror(-pid))
            failed.pop_all()
        return Running(Forked(pid, pidfds[0], end), self._name)

    def _started(self) -> socket.socket:
        """Start the process, and wait until it can be copied. Raises what the factory raises."""
        name = f"template of {self._name}s"
        ours, theirs = socket.socketpair()
        ready, told = multiprocessing.Pipe(duplex=False)
        with ExitStack() as failed, ready, Words() as words:
            failed.enter_context(ours)
            arguments = (self._factory, self._probe, logs.configured(), self._name)
            with theirs, told, words.mouth, self._lock:
                self._check_not_stopped()
                self._process = spawned(name, serve_forks, theirs, told, words.mouth, *arguments)
            try:
                answer: Answer[object] | None = (
                    ready.recv() if ready.poll(START_TIMEOUT_SECONDS) else None
                )
            except (EOFError, OSError) as error:
                words.tell("worker_last_words", name)
                self._check_not_stopped()
                msg = f"a {self._name} did not start: its template died"
                raise WorkerNotStarted(msg) from error
            if answer is None:
                msg = f"a {self._name} did not start: its template took too long"
                raise WorkerNotStarted(msg)
            if answer.error is not None:
                raise answer.error
            words.tell("worker_said", name)
            ours.settimeout(FORK_TIMEOUT_SECONDS)
            failed.pop_all()
        return ours

    def _check_not_stopped(self) -> None:
        if self._is_stopped:
            raise WorkersStopped(f"the {self._name}s are being stopped")

    def _leave(self) -> None:
        if self._requests is not None:
            self._requests.close()
            self._requests = None
        if self._process is not None:
            self._process.end()
