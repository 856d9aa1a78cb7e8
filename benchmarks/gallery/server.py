"""Processes that are asked: the gallery as it is run, and an answer of nothing."""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import psutil

from benchmarks.private_services import SECRET_KEY, PrivateServices
from tests.support.services import GuardedProcess, free_port

SAMPLE_SECONDS = 0.2
#: Of a core: its timers.
IDLE_PERCENT = 10
PATIENCE_SECONDS = 60.0


@dataclass(slots=True)
class Server:
    """A process that answers, and the most memory that it had."""

    url: str
    pid: int
    peak_rss_bytes: int = 0

    def wait_until_idle(self) -> None:
        """Wait for what it does still: it answers those, too, who have hung up meanwhile."""
        process, until = psutil.Process(self.pid), time.monotonic() + PATIENCE_SECONDS
        while (percent := process.cpu_percent(interval=SAMPLE_SECONDS)) > IDLE_PERCENT:
            if time.monotonic() > until:
                msg = f"the server does not come to rest: {percent:.0f} % of a core"
                raise RuntimeError(msg)


@contextmanager
def gallery(services: PrivateServices, settings: dict[str, str]) -> Iterator[Server]:
    """Run one process of the gallery."""
    environment = {
        "DATABASE_URL": services.database_url,
        "AMQP_URL": services.amqp_url,
        "SECRET_KEY": SECRET_KEY,
        "PHOTO_BUCKET_NAME": "",
        "LOG_LEVEL": "warning",
    }
    command = ["-m", "services.gallery"]
    with _running(command, environment | settings, ready="/readyz") as server:
        stop = threading.Event()
        watching = threading.Thread(target=_watch, args=(server, stop), daemon=True)
        watching.start()
        try:
            yield server
        finally:
            stop.set()
            watching.join()


@contextmanager
def empty_answer(size_bytes: int) -> Iterator[Server]:
    """Run a server that answers so many bytes."""
    command = ["-m", "benchmarks.gallery.empty_answer", "{port}", str(size_bytes)]
    with _running(command, {}, ready="/") as server:
        yield server


@contextmanager
def _running(command: list[str], environment: dict[str, str], *, ready: str) -> Iterator[Server]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # Removed by its guard when the process is not stopped in order.
    folder = Path(tempfile.mkdtemp(prefix="findme-bench-"))
    process = GuardedProcess(
        [sys.executable, *(part.format(port=port) for part in command)],
        log=folder / "server.log",
        env=os.environ
        | {"PORT": str(port), "PHOTO_STORE_DIR": str(folder / "objects")}
        | environment,
    )
    try:
        process.wait_until(partial(_answers, url + ready), what="the server")
        yield Server(url, process.pid or 0)
    finally:
        process.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


def _watch(server: Server, stop: threading.Event) -> None:
    with suppress(psutil.Error):
        process = psutil.Process(server.pid)
        while not stop.wait(SAMPLE_SECONDS):
            server.peak_rss_bytes = max(server.peak_rss_bytes, process.memory_info().rss)
