"""What is known of a file, and what became of its content."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class State(Enum):
    """What became of a file."""

    #: Its content is known, and not sent yet.
    READ = "read"
    SENT = "sent"
    #: The server does not take it, for a reason that will not go away by itself.
    REFUSED = "refused"
    #: It is not sent at all, for a reason of ours.
    LISTED = "listed"


#: States in which nothing more is done about a file until it changes.
FINAL: Final = frozenset({State.SENT, State.REFUSED, State.LISTED})


@dataclass(frozen=True, slots=True)
class Look:
    """A file as a folder shows it: what changes when its content does."""

    size: int
    mtime_ns: int


#: What cannot be looked at, or not be read.
UNREADABLE: Final = Look(-1, -1)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a path since it was looked at."""

    look: Look
    state: State
    sha256: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What became of bytes, whatever they are called."""

    state: State
    photo_id: int | None = None
    reason: str | None = None
