"""FindMe in a process of its own, as the demo, the tests and the benchmarks start it."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.common.errors import Unavailable
from standalone.data_dir import closed_file, make_data_dir

START_TIMEOUT_SECONDS = 180
STOP_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A running `findme up`."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def temporary_data_dir() -> Iterator[Path]:
    """Make a folder that PostgreSQL reaches, which runs as another user where this one is root."""
    with tempfile.TemporaryDirectory(prefix="findme-data-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def running_server(data_dir: Path, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Server]:
    """Start FindMe on the folder and wait until it is ready; stop it after the block.

    Raises Unavailable, with the end of the log, when it does not start.
    """
    make_data_dir(data_dir)
    log = data_dir / "findme.log"
    with tempfile.TemporaryDirectory(prefix="findme-") as folder, closed_file(log) as output:
        ready = Path(folder) / "url"
        command = [sys.executable, "-m", "cli", "up", "--data-dir", str(data_dir)]
        command += ["--host", host, "--port", str(port), "--ready-file", str(ready)]
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdout=output,
            stderr=output,
            # Ctrl-C is for the caller to handle; it stops the server in its own time.
            start_new_session=True,
        )
        try:
            yield Server(_wait_until_ready(process, ready, log), process, log)
        finally:
            stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not (ready.exists() and (url := ready.read_text()).endswith("\n")):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            msg = f"FindMe did not start; the end of {log}:\n{tail}"
            raise Unavailable(msg)
        time.sleep(0.05)
    return url.strip()


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop as Ctrl-C would; kill what does not stop."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
