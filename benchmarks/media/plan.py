"""How much is measured."""

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

THUMBNAIL_BYTES: Final = 40 * 1024
ORIGINAL_BYTES: Final = 2500 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds, of which the median counts, and the seconds of each."""

    rounds: int
    seconds: float
    #: What is sent in turn: more than one, as a page has.
    photos: int = 20
    #: Photos of an archive.
    archived_photos: int = 5000


def plan_of(*, quick: bool) -> Plan:
    """Return the full plan or the one that ends within a minute."""
    return Plan(3, 1, archived_photos=1000) if quick else Plan(5, 3)


def on_server_core(pid: int) -> None:
    """Have a server and its workers on the first core, where there is another for the clients."""
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        _pin(process, 0)


def on_client_cores() -> None:
    """Have what this process starts from now on use the others."""
    _pin(psutil.Process(), 1)


def _pin(process: psutil.Process, number: int) -> None:
    # Linux alone; elsewhere the system decides.
    with suppress(AttributeError, psutil.Error):
        cores = sorted(os.sched_getaffinity(0) | set(range(os.cpu_count() or 1)))
        if len(cores) > 1:
            process.cpu_affinity([cores[0]] if number == 0 else cores[1:])
