"""Private processes for the tests: started on demand, on ports and folders of their own."""

import contextlib
import fcntl
import functools
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

START_SECONDS = 120.0
STOP_SECONDS = 30.0
#: Below those that systems give to connections that go out: one of these, made while a server
#: starts or is down, would take its port, and one to that port could even meet itself.
PORTS = range(15000, 32000)
_GIVEN: set[int] = set()
#: The shared one is set to one seed in all processes, where Hypothesis is at work.
_RANDOM = random.SystemRandom()


class ServiceMissing(Exception):
    """A service cannot be provided on this machine; the message says what to install."""


class GuardedProcess:
    """A server under `guard.py`: it ends with this process, however this process ends."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    str(Path(__file__).with_name("guard.py")),
                    str(int(stop_signal)),
                    user or "",
                    str(log.parent),
                    *command,
                ],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env) if env is not None else None,
                start_new_session=True,
            )

    def wait_until(self, is_ready: Callable[[], bool], *, what: str) -> None:
        """Return once `is_ready`; raises RuntimeError with the log's end if it never is."""
        try:
            wait_until(lambda: self._guard.poll() is not None or is_ready(), what=what)
            failed = self._guard.poll() is not None
        except RuntimeError:
            failed = True
        if failed:
            self.kill()
            tail = self._log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{what} did not start; its log ends with:\n{tail}")

    @property
    def has_ended(self) -> bool:
        """Whether the server is gone, by itself or by our doing."""
        return self._guard.poll() is not None

    @property
    def pid(self) -> int | None:
        """The server's own; None before it runs and after its end."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for server in psutil.Process(self._guard.pid).children():
                return int(server.pid)
        return None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the server alone, not to its children."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self) -> None:
        """Stop as an operator would, and wait until it is gone."""
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.write(b".")
            self._guard.stdin.flush()
        self._guard.stdin.close()
        try:
            self._guard.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL the server and all its children, and wait until they are gone."""
        processes: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            # Some of them (PostgreSQL's backends) leave the process group.
            processes = psutil.Process(self._guard.pid).children(recursive=True)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # The guard ends by itself once it has collected the server, whose pid is free only then:
        # PostgreSQL does not start while the pid in its lock file is taken.
        try:
            self._guard.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait(STOP_SECONDS)
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        wait_until(lambda: all(map(_is_gone, processes)), what="the end of killed processes")


def wait_until(is_ready: Callable[[], bool], *, what: str) -> None:
    """Poll until `is_ready`; raises RuntimeError after START_SECONDS."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} was not ready after {START_SECONDS:g} s")
        time.sleep(0.05)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on, and that was given to nobody else."""
    while True:
        port = _RANDOM.choice(PORTS)
        if reserve(port):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def reserve(port: int) -> bool:
    """Keep a port for this process until it ends; False where it was given away before.

    A server takes seconds to start, in which another process's tests would find its port free.
    """
    if port in _GIVEN:
        return False
    with contextlib.suppress(BlockingIOError):
        fcntl.lockf(_ports_file(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        _GIVEN.add(port)
        return True
    return False


@functools.cache
def _ports_file() -> IO[str]:
    """What all tests of this user lock a byte of for each port; closed, it would lose all locks."""
    return Path(tempfile.gettempdir(), f"findme-tests-{os.geteuid()}.ports").open("w")


def _is_gone(process: psutil.Process) -> bool:
    try:
        # A container's init may take seconds to collect the dead.
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@functools.cache
def docker_answers() -> bool:
    """Whether a Docker engine answers, so that containers can be used."""
    if not Path("/var/run/docker.sock").exists() and "DOCKER_HOST" not in os.environ:
        return False
    import docker  # type: ignore[import-untyped]

    try:
        client = docker.from_env(timeout=5)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except docker.errors.DockerException:
        return False
