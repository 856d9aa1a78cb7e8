"""Memory and CPU of a process's workers: the numbers of `process_*` leave children out."""

import os
import resource
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class WorkerCollector(Collector):
    """Reads /proc as Prometheus asks; where there is none, workers count once they have ended."""

    def __init__(self) -> None:
        self._cpu_seconds = 0.0

    def collect(self) -> Iterable[Metric]:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_seconds = ended.ru_utime + ended.ru_stime
        resident_bytes = 0
        for child in _children():
            try:
                # The name, in parentheses, may hold anything: fields count from behind it.
                fields = (child / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            cpu_seconds += (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
            resident_bytes += int(fields[21]) * _PAGE_BYTES
        # A worker that ended since the first line is missing this once: a counter never falls.
        self._cpu_seconds = max(self._cpu_seconds, cpu_seconds)
        yield CounterMetricFamily(
            "findme_worker_cpu_seconds",
            "CPU seconds of worker processes, ended ones included.",
            self._cpu_seconds,
        )
        yield GaugeMetricFamily(
            "findme_worker_resident_bytes", "Memory of worker processes.", resident_bytes
        )


def _children() -> list[Path]:
    """Return the folders in /proc of this process's children, whichever thread made them."""
    try:
        threads = list((_PROC / "self" / "task").iterdir())
    except OSError:
        return []
    pids: list[str] = []
    for thread in threads:
        try:
            pids += (thread / "children").read_text().split()
        except OSError:
            continue
    return [_PROC / pid for pid in pids]


REGISTRY.register(WorkerCollector())
