"""What libvips says of a picture while it reads it.

A process that decodes strangers' files has one in hand at a time; what is said is of that one.
"""

import logging
from typing import Final

#: A crafted file has its decoder complain of every line.
_MAX_KEPT: Final = 100


class _Complaints(logging.Filter):
    """Keeps what is logged, up to a limit, and lets none of it through."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if len(self.kept) < _MAX_KEPT:
            self.kept.append(record.getMessage())
        return False


_COMPLAINTS: Final = _Complaints()


def listen() -> None:
    """Have complaints kept, and said nowhere else: they are of a stranger's picture."""
    log = logging.getLogger("pyvips")
    log.setLevel(logging.WARNING)
    log.addFilter(_COMPLAINTS)


def forget() -> None:
    """Begin with another picture."""
    _COMPLAINTS.kept.clear()


def heard() -> list[str]:
    """Return what was said since."""
    return list(_COMPLAINTS.kept)
