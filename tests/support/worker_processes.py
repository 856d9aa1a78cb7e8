"""The worker processes of this one, and whether they live."""

import os
from contextlib import suppress

import psutil

from tests.support.engine_pools import lent_processes, lent_templates


def workers() -> list[psutil.Process]:
    """Those of the test that live; a zombie is dead and waits to be counted."""
    others = lent_processes()
    return [worker for worker in workers_of(os.getpid()) if worker.pid not in others]


def workers_of(service: int | None) -> list[psutil.Process]:
    """Those that live of a process, by its pid, without the templates that they are copies of."""
    return [it for it in _started_by(service) if not _is_template(it, service)]


def templates() -> list[psutil.Process]:
    """What workers of the test are copies of."""
    lent = lent_templates()
    return [it for it in _started_by(os.getpid()) if _is_template(it, None) and it.pid not in lent]


def is_alive(process: psutil.Process) -> bool:
    """Whether it may have a file open still: a dying process loses its command line first."""
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _started_by(service: int | None) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(service).children(recursive=True):
        # psutil.NoSuchProcess, of which ZombieProcess is one, where it has ended meanwhile.
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(process.cmdline()) and is_alive(process):
                found.append(process)
    return found


def _is_template(process: psutil.Process, service: int | None) -> bool:
    """Whether it is one of the service's: copies of it are called so until they know their name."""
    try:
        is_own_child = process.ppid() == (service or os.getpid())
        return is_own_child and bool(process.name().startswith("forks "))
    except psutil.NoSuchProcess:
        return False
