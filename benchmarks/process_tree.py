"""Peak memory of a process, its descendants and the database they started."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.2


@dataclass(slots=True)
class Peak:
    """The largest sum seen, in bytes; shared pages count once (proportional set size)."""

    value: int = 0

    @property
    def megabytes(self) -> float:
        """The peak in MB of 10^6 bytes."""
        return self.value / 1e6


@contextmanager
def peak_memory(pids: Sequence[int], *, postgres_data: Path | None = None) -> Iterator[Peak]:
    """Sample the memory of the processes, their children and the PostgreSQL on that data folder."""
    peak = Peak()
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            peak.value = max(peak.value, _tree_bytes(_roots(pids, postgres_data)))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _roots(pids: Sequence[int], postgres_data: Path | None) -> list[int]:
    roots = [*pids]
    if postgres_data is not None:
        with suppress(OSError, ValueError, IndexError):
            # PostgreSQL is started as a daemon: it is nobody's child.
            roots.append(int((postgres_data / "postmaster.pid").read_text().splitlines()[0]))
    return roots


def unshared_bytes(pid: int) -> int:
    """Return the proportional set size of one process."""
    return int(psutil.Process(pid).memory_full_info().pss)


def _tree_bytes(roots: list[int]) -> int:
    total = 0
    for root in roots:
        with suppress(psutil.Error):
            process = psutil.Process(root)
            for member in [process, *process.children(recursive=True)]:
                with suppress(psutil.Error):
                    total += member.memory_full_info().pss
    return total
