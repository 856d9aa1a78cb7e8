"""A worker's heap, where the C library is glibc; elsewhere nothing is done.

glibc gives each thread an arena of its own, and keeps in each what was freed between what lives
on. A face worker of one arena takes 40 MB less after 60 photos, and one that has given back what
loading its models left 60 MB less before its first; neither is slower.
"""

import ctypes
import sys

_M_ARENA_MAX = -8  # malloc.h


def have_one_arena() -> None:
    """Keep threads that come from now on from having arenas of their own."""
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_M_ARENA_MAX, 1)


def give_back_freed() -> None:
    """Return to the system what is free, wherever it lies."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(ctypes.c_size_t(0))


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
