"""What a machine may have no more of: disk, memory, open files, threads.

It fails all work alike, so it is never held against what happens to be in hand: it is waited for.
"""

import errno
import os
from collections.abc import Iterator

from prometheus_client import Counter

from libs.common.errors import Unavailable

EXHAUSTED = Counter(
    "findme_exhausted_total",
    "Work put off because the machine had no more of: disk space, memory, open files, threads.",
    ["what"],
)

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

# There from the start: of a counter that appears with its first event, no rate shows it.
for _what in {*_SCARCE.values(), *_WORDS.values(), "threads"}:
    EXHAUSTED.labels(_what)


class Exhausted(Unavailable):
    """The machine has no more of something; the message says of what."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The server has no more {what}. Try again in a few seconds.")
        self.what = what
        # Here, as many raise it; one from a worker process is made anew in this one.
        EXHAUSTED.labels(what).inc()

    def __reduce__(self) -> tuple[type["Exhausted"], tuple[str]]:
        """It comes from worker processes, too."""
        return type(self), (self.what,)


def lacks(error: BaseException) -> str | None:
    """Return what the machine lacked when the error was raised; None for all other errors.

    An error that was raised from another one, or while that was handled, is what that one is.
    """
    for each in _chain(error):
        if isinstance(each, MemoryError):
            return "memory"
        if isinstance(each, OSError) and each.errno in _SCARCE:
            return _SCARCE[each.errno]
        if isinstance(each, RuntimeError) and _NO_THREAD in str(each):
            return "threads"
    return None


def lacks_by_its_words(error: BaseException) -> str | None:
    """As `lacks`, also of errors of native libraries, which say it in words only."""
    if (what := lacks(error)) is not None:
        return what
    for each in _chain(error):
        said = str(each).lower()
        for words, what in _WORDS.items():
            if words in said:
                return what
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and those before it: what it was raised from, or while handling what.

    (botocore says no `from`.) Each once: a chain may be a circle.
    """
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        yield each
        seen.add(id(each))
        is_from = each.__cause__ is not None or each.__suppress_context__
        each = each.__cause__ if is_from else each.__context__
