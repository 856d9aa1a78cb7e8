"""What a machine may have no more of: disk, memory, open files, threads.

It fails all work alike, so it is never held against what happens to be in hand: it is waited for.
"""

import errno
import os

from libs.common.errors import Unavailable

_SCARCE = {
    errno.ENOSPC: "disk space",
    errno.EDQUOT: "disk space",
    errno.ENOMEM: "memory",
    errno.EMFILE: "open files",
    errno.ENFILE: "open files",
}
#: How libraries that tell no number say it: libvips and libjpeg, and Python of threads.
_WORDS = {
    **{os.strerror(number).lower(): what for number, what in _SCARCE.items()},
    "out of memory": "memory",
    "insufficient memory": "memory",
    "bad_alloc": "memory",
}
_NO_THREAD = "can't start new thread"


class Exhausted(Unavailable):
    """The machine has no more of something; the message says of what."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The server has no more {what}. Try again in a few seconds.")
        self.what = what

    def __reduce__(self) -> tuple[type["Exhausted"], tuple[str]]:
        """It comes from worker processes, too."""
        return type(self), (self.what,)


def lacks(error: BaseException) -> str | None:
    """Return what the machine lacked when the error was raised; None for all other errors.

    An error that was raised from another one, or while that was handled, is what that one is.
    """
    while True:
        if isinstance(error, MemoryError):
            return "memory"
        if isinstance(error, OSError) and error.errno in _SCARCE:
            return _SCARCE[error.errno]
        if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
            return "threads"
        before = _before(error)
        if before is None:
            return None
        error = before


def lacks_by_its_words(error: BaseException) -> str | None:
    """As `lacks`, also of errors of native libraries, which say it in words only."""
    if (what := lacks(error)) is not None:
        return what
    each: BaseException | None = error
    while each is not None:
        said = str(each).lower()
        for words, what in _WORDS.items():
            if words in said:
                return what
        each = _before(each)
    return None


def _before(error: BaseException) -> BaseException | None:
    """What the error was raised from, or while handling what; botocore says no `from`."""
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__
