"""The worker processes of this one, and whether they live."""

import psutil


def workers() -> list[psutil.Process]:
    """Those that live; a zombie is dead and waits to be counted."""
    return [child for child in psutil.Process().children() if _is_worker(child)]


def is_alive(process: psutil.Process) -> bool:
    """Whether it may have a file open still: a dying process loses its command line first."""
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline()) and is_alive(process)
    except psutil.NoSuchProcess:  # of which ZombieProcess is one
        return False
