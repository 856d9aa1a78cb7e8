"""By which ways photos come, and when the same bytes are the same photo."""

from datetime import timedelta
from enum import StrEnum

from libs.common.rights.access import EventDuplicates

#: By the rule of the first clients, the same bytes within this time are one upload, sent twice.
DUPLICATE_WINDOW = timedelta(minutes=5)


class Way(StrEnum):
    """How a file comes; the value is what metrics and traces say."""

    FORM = "form"
    PUT = "put"
    TUS = "tus"
    FTP = "ftp"


class Duplicates(StrEnum):
    """What becomes of bytes that the event has already."""

    #: They are the photo that is there, if it came within DUPLICATE_WINDOW.
    WINDOW = "window"
    #: They are the photo that is there, for as long as it is.
    EVENT = "event"
    #: They are one more photo: a second copy was asked for.
    KEEP = "keep"


def duplicates_rule(
    way: Way, *, of_event: EventDuplicates | None, keeps_copies: bool
) -> Duplicates:
    """Return the rule for a file: a copy that is asked for, else the event's rule, else the way's.

    The first clients' forms have the window, as they expect; all other ways the event's whole life.
    """
    if keeps_copies:
        return Duplicates.KEEP
    if of_event is not None:
        return Duplicates(of_event)
    return Duplicates.WINDOW if way is Way.FORM else Duplicates.EVENT
