"""A worker of a service that runs as root gives root up: it decodes what strangers send.

Afterwards it is nobody's process, which may still read what it is asked to read (the service's
files are closed to everybody else), and may change nothing.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import structlog

#: Linux's overflow user: no file is its own.
NOBODY: Final = 65534
#: capabilities(7): reads files and enters folders of everybody.
_CAP_DAC_READ_SEARCH: Final = 1 << 2
#: Else access(2), by which libvips looks for a file, answers as if there were no capability.
_SECBIT_NO_SETUID_FIXUP: Final = 1 << 2
_PR_SET_SECUREBITS: Final = 28
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522

W = TypeVar("W")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WithoutRoot(Generic[W]):
    """Makes what its factory does, and then gives root up, in a worker or what workers copy.

    Only then: what is made may write, as models that are converted once.
    """

    factory: Callable[[], W]

    def __call__(self) -> W:
        """Raises what the factory raises."""
        work = self.factory()
        give_up_root()
        return work


def give_up_root() -> None:
    """Become nobody who may read everything, on Linux and as root; else do nothing.

    Where the system does not allow it (a container without the capabilities for it) the worker
    stays what it is, and says so. Raises OSError where it could be left with more than that: as
    nobody, but with all that root may do.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        _ask(libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError as error:
        log.warning("worker_stays_root", exc_info=error)
        return
    _keep_only(libc, _CAP_DAC_READ_SEARCH)
    _ask(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _keep_only(libc: ctypes.CDLL, capabilities: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Twice effective, permitted, inheritable: the lower and the upper 32 capabilities.
    data = (ctypes.c_uint32 * 6)(capabilities, capabilities, 0, 0, 0, 0)
    _ask(libc.capset(header, data))


def _ask(status: int) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
