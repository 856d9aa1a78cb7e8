"""The one table that turns errors into FTP's answers (RFC 959, 4.2)."""

from libs.common.errors import (
    Conflict,
    FindMeError,
    NotAuthenticated,
    TooLarge,
    TooManyRequests,
    TransientError,
    Unavailable,
)
from libs.common.storage.protocol import StoreFull
from services.ingest.ftp.broken_files import NotSoMuchCame
from services.ingest.ftp.pieces import Truncated
from services.ingest.request_body import BrokenBody

OUR_FAULT = "It could not be stored for a reason on our side. Send it again in a few seconds."

#: The most specific class of an error decides. Cameras try again after 4xx, and go on after 5xx.
CODES: dict[type[Exception], int] = {
    BrokenBody: 426,
    Truncated: 426,
    NotSoMuchCame: 554,
    TooLarge: 552,
    NotAuthenticated: 530,
    TooManyRequests: 530,
    # The event has as many photos as it may have, or the store no room.
    Conflict: 452,
    StoreFull: 452,
    Unavailable: 451,
    TransientError: 451,
    # What is not allowed, not there, over, or no photo.
    FindMeError: 550,
}


def answer_to(error: BaseException) -> str:
    """Return the line that says what went wrong, and what to do."""
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), None)
    if code is None:
        return f"451 {OUR_FAULT}"
    return f"{code} {in_one_line(str(error))}"


def in_one_line(text: str) -> str:
    """Return a text that cannot begin another answer."""
    return " ".join(text.split())
