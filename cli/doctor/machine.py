"""What the machine says: its disk, memory, clock, network and files."""

import os
import resource
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx

#: A doctor who waits for the patient to answer waits no longer.
PATIENCE_SECONDS: Final = 5.0


def free_bytes(folder: Path) -> int:
    """Return what is free where the folder is, or would be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def memory_bytes() -> int | None:
    """Return the machine's memory, or the container's where that is less; None if unknown."""
    found = []
    with suppress(OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found, default=None)


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no such thing
        return os.cpu_count() or 1


def most_open_files() -> int:
    """Return how many files a process may have open, once it has asked for more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def clock_is_synchronised() -> bool | None:
    """Whether the clock is set by NTP; None where nobody tells."""
    program = shutil.which("timedatectl")
    if program is None:
        return None
    asked = subprocess.run(  # noqa: S603 - the system's own
        [program, "show", "--property=NTPSynchronized", "--value"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    return {"yes": True, "no": False}.get(asked.stdout.strip())


def is_same_disk(one: Path, other: Path) -> bool:
    """Whether both folders are lost together."""
    try:
        return one.stat().st_dev == other.stat().st_dev
    except OSError:
        return False


def why_no_answer(url: str) -> str | None:
    """Ask FindMe at its address, as a guest's browser would; None where it answers."""
    try:
        answer = httpx.get(f"{url}/livez", timeout=PATIENCE_SECONDS, follow_redirects=True)
    except (httpx.HTTPError, OSError) as error:
        return str(error) or type(error).__name__
    return None if answer.is_success else f"HTTP {answer.status_code}"


def why_no_connection(host: str, port: int) -> str | None:
    """Open a connection; None where that works."""
    try:
        socket.create_connection((host, port), timeout=PATIENCE_SECONDS).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
