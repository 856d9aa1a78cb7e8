"""The life of a process that has made what all workers of a pool run, and forks them.

It does nothing else: no task, as libraries begin threads with the first, which forks do not have.
"""

import errno
import gc
import os
import signal
import socket
import struct
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Final, Generic, NoReturn, TextIO

from libs.common.telemetry import logs
from libs.common.workers.serving import (
    A,
    Answer,
    Factory,
    Logging,
    P,
    Prepared,
    Probe,
    call_process,
    exiting_with_parent,
    failure,
    own_log_file,
    prepare,
    print_to,
    told,
)

#: What comes with each request: the worker's connection, its words, and where its end is told.
DESCRIPTORS: Final = 3
#: A pid, with which comes a pidfd, or an errno, negative.
REPLY: Final = struct.Struct("!i")


def serve_forks(
    requests: socket.socket,
    ready: Connection,
    words: Connection,
    factory: Factory[P, A],
    probe: Probe[P, A] | None,
    logging: Logging,
    name: str,
) -> None:
    """Make what the workers run and say so, then fork one for each request."""
    log_file = own_log_file()
    print_to(words)
    with told(logging, log_file):
        call_process(f"forks {name}s")
        with exiting_with_parent():
            prepared = prepare(factory, probe, ready)
        if prepared is None:
            return
        with ready:
            try:
                ready.send(Answer())
            except OSError:
                return  # the service has ended meanwhile
        # A fork has no other threads than the one that forks.
        logs.close()
        # What lives now is never collected: to look at it would copy it into each worker.
        gc.collect()
        gc.freeze()
        try:
            _Forks(requests, prepared, log_file, logging, name).serve()
        except Exception:
            logs.configure(*logging, stream=log_file)
            raise


class _Forks(Generic[P, A]):
    """Forks workers, and tells how each ended."""

    def __init__(
        self,
        requests: socket.socket,
        prepared: Prepared[P, A],
        log_file: TextIO,
        logging: Logging,
        name: str,
    ) -> None:
        self._requests = requests
        self._prepared = prepared
        self._log_file = log_file
        self._logging = logging
        self._name = name
        #: By pidfd, which can be read once its process has ended: the pid, and where that is told.
        self._workers: dict[int, tuple[int, Connection]] = {}

    def serve(self) -> None:
        """Go on until nobody asks any more and all workers have ended, or the service is gone."""
        parent = parent_process()
        gone = [] if parent is None else [parent.sentinel]
        asking = [self._requests]
        while asking or self._workers:
            came = wait([*gone, *asking, *self._workers])
            for pidfd in self._workers.keys() & set(came):
                self._tell_end(pidfd)
            if not set(gone).isdisjoint(came):
                return
            if self._requests in came and not self._take_request():
                asking.clear()

    def _take_request(self) -> bool:
        """Return whether there was one."""
        asked, descriptors, *_ = socket.recv_fds(self._requests, 1, DESCRIPTORS)
        if not asked:
            return False
        try:
            pid, pidfd = self._forked(descriptors)
        except OSError as error:
            reply, given = -(error.errno or errno.EAGAIN), []
        else:
            reply, given = pid, [pidfd]
        with suppress(BrokenPipeError):  # nobody waits for it any more
            socket.send_fds(self._requests, [REPLY.pack(reply)], given)
        return True

    def _forked(self, descriptors: Sequence[int]) -> tuple[int, int]:
        """Return the new worker's pid and pidfd. Raises OSError, and leaves none behind."""
        with ExitStack() as failed, ExitStack() as done:
            pipes = [Connection(descriptor) for descriptor in descriptors]
            for pipe in pipes:
                (failed if pipe is pipes[-1] else done).enter_context(pipe)
            if len(pipes) < DESCRIPTORS:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            connection, words, end = pipes
            pid = os.fork()
            if pid == 0:
                end.close()
                self._be_worker(connection, words)
            try:
                pidfd = os.pidfd_open(pid)
            except OSError:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise
            self._workers[pidfd] = pid, end
            failed.pop_all()
        return pid, pidfd

    def _be_worker(self, connection: Connection, words: Connection) -> NoReturn:
        status = 1
        try:
            self._requests.close()
            for pidfd, (_, end) in self._workers.items():
                os.close(pidfd)
                end.close()
            call_process(self._name)
            print_to(words)
            with told(self._logging, self._log_file), exiting_with_parent():
                connection.send(Answer())
                self._prepared.answer(connection)
            status = 0
        except Exception as error:  # noqa: BLE001 - before it could log; the parent raises it
            with suppress(OSError):
                connection.send(failure(error))
        finally:
            logs.flush()
            os._exit(status)

    def _tell_end(self, pidfd: int) -> None:
        pid, end = self._workers.pop(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        with end, suppress(OSError):  # nobody asks any more
            end.send(os.waitstatus_to_exitcode(status))
