"""Memory and CPU of a process's workers: the numbers of `process_*` leave children out."""

import os
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

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
        self._looked: tuple[float, int] | None = None

    def look(self) -> None:
        """Read it now, for the next time it is asked: a thread may, as it takes milliseconds."""
        self._looked = self._read()

    def collect(self) -> Iterable[Metric]:
        looked, self._looked = self._looked, None
        cpu_seconds, memory_bytes = looked or self._read()
        # A worker that ended since its first line was read is missing once: no counter falls.
        self._cpu_seconds = max(self._cpu_seconds, cpu_seconds)
        yield CounterMetricFamily(
            "findme_worker_cpu_seconds",
            "CPU seconds of worker processes, ended ones included.",
            self._cpu_seconds,
        )
        yield GaugeMetricFamily(
            "findme_worker_resident_bytes", "Memory of worker processes.", memory_bytes
        )

    def _read(self) -> tuple[float, int]:
        """Return seconds of CPU and bytes of memory."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_seconds = ended.ru_utime + ended.ru_stime
        memory_bytes = 0
        for process in _descendants(Path("self")):
            try:
                # The name, in parentheses, may hold anything: fields count from behind it.
                fields = (_PROC / process / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            # Its own, and that of its children that have ended.
            cpu_seconds += sum(map(int, fields[11:15])) / _TICKS_PER_SECOND
            memory_bytes += _memory_bytes(process, resident_pages=int(fields[21]))
        return cpu_seconds, memory_bytes


def _descendants(process: Path) -> Iterator[Path]:
    """Yield the folders in /proc of its children, whichever thread made them, and of theirs."""
    try:
        threads = list((_PROC / process / "task").iterdir())
    except OSError:
        return
    for thread in threads:
        try:
            children = (thread / "children").read_text().split()
        except OSError:
            continue
        for child in map(Path, children):
            yield child
            yield from _descendants(child)


def _memory_bytes(process: Path, *, resident_pages: int) -> int:
    """Return its memory; what it shares with others counts in parts, where the system tells."""
    try:
        lines = (_PROC / process / "smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return resident_pages * _PAGE_BYTES


WORKERS: Final = WorkerCollector()
REGISTRY.register(WORKERS)
