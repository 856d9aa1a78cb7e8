"""Recognition replicas as processes, started and stopped in the middle of a benchmark."""

import os
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from benchmarks.private_services import SECRET_KEY, PrivateServices
from tests.support.services import GuardedProcess, free_port


class Replicas:
    """Any number of replicas with `workers` workers each, on one folder of objects."""

    def __init__(
        self,
        services: PrivateServices,
        folder: Path,
        *,
        workers: int,
        seconds_per_photo: float,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`log` gets a line for every call of an engine; `settings` replace those made here."""
        self._folder = folder
        self._seconds = seconds_per_photo
        self._processes: list[GuardedProcess] = []
        self._environment = os.environ | {
            "DATABASE_URL": services.database_url,
            # Sixteen replicas must fit into a small server's max_connections.
            "DB_POOL_SIZE": "4",
            "DB_MAX_OVERFLOW": "3",
            "AMQP_URL": services.amqp_url,
            "PHOTO_STORE_DIR": str(folder / "objects"),
            "PHOTO_BUCKET_NAME": "",
            "SECRET_KEY": SECRET_KEY,
            "PHOTO_QUEUE_WORKERS": str(workers),
            "LOG_LEVEL": "warning",
            **(settings or {}),
        }
        if log is not None:
            self._environment["SCRIPTED_LOG"] = str(log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.scale(0)

    def scale(self, count: int) -> None:
        """Start or stop replicas until there are `count`; the new ones are ready then."""
        while len(self._processes) > count:
            self._processes.pop().stop()
        started = [self._start() for _ in range(count - len(self._processes))]
        for process, url in started:
            try:
                process.wait_until(partial(_is_ready, url), what="a recognition replica")
            except RuntimeError:
                self._processes.remove(process)
                raise

    def _start(self) -> tuple[GuardedProcess, str]:
        # A folder each: a guarded process removes it when it is not stopped in order.
        folder = Path(tempfile.mkdtemp(prefix="replica-", dir=self._folder))
        port = free_port()
        process = GuardedProcess(
            [sys.executable, "-m", "tests.support.scripted_recognition"],
            log=folder / "replica.log",
            env=self._environment | {"PORT": str(port), "SCRIPTED_SECONDS": str(self._seconds)},
        )
        self._processes.append(process)
        return process, f"http://127.0.0.1:{port}/readyz"


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False
