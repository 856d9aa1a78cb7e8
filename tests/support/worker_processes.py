"""The worker processes of this one, and whether they live."""

import os

import psutil

from tests.support.engine_pools import lent_processes


def workers() -> list[psutil.Process]:
    """Those of the test that live; a zombie is dead and waits to be counted."""
    others = lent_processes()
    return [worker for worker in workers_of(os.getpid()) if worker.pid not in others]


def templates() -> list[psutil.Process]:
    """What living workers of the test are copies of, without those that are nobody's copy."""
    return [it for it in {worker.parent() for worker in workers()} if it and it.pid != os.getpid()]


def workers_of(service: int | None) -> list[psutil.Process]:
    """Those that live of a process, by its pid, without the templates that they are copies of."""
    return [it for it in psutil.Process(service).children(recursive=True) if _is_worker(it)]


def is_alive(process: psutil.Process) -> bool:
    """Whether it may have a file open still: a dying process loses its command line first."""
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_worker(process: psutil.Process) -> bool:
    try:
        is_ours = "spawn_main" in " ".join(process.cmdline())
        return is_ours and not process.name().startswith("forks ") and is_alive(process)
    except psutil.NoSuchProcess:  # of which ZombieProcess is one
        return False
