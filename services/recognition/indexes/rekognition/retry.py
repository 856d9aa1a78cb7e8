"""What becomes of a failed call: one pure function from the error to a decision."""

from enum import Enum, auto

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, of connections that were never made
    HTTPClientError,
)

MAX_ATTEMPTS = 8
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0

_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_SERVER_ERRORS = 500


class Fault(Enum):
    """What is known of a call that failed."""

    #: Refused because of the rate: it had no effect and is not charged for.
    THROTTLED = auto()
    #: It never arrived.
    NOT_SENT = auto()
    #: It may have had its effect, and its price.
    UNKNOWN = auto()
    #: Refused for its own sake: again would be the same.
    REFUSED = auto()


def fault_of(error: Exception) -> Fault:
    """Classify what botocore raised."""
    if isinstance(error, ClientError):
        if error_code(error) in _THROTTLED:
            return Fault.THROTTLED
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return Fault.UNKNOWN if status >= _SERVER_ERRORS else Fault.REFUSED
    if isinstance(error, ConnectionError):
        return Fault.NOT_SENT
    # What is neither the network's nor the service's (credentials, parameters) was not sent.
    if isinstance(error, BotoCoreError) and not isinstance(error, HTTPClientError):
        return Fault.REFUSED
    return Fault.UNKNOWN


def error_code(error: ClientError) -> str:
    """Return the service's name of the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def pause_seconds(attempt: int, jitter: float) -> float:
    """Return the pause after this attempt (1 is the first); `jitter` is a random 0..1.

    "Full jitter": Marc Brooker, Exponential Backoff and Jitter, AWS Architecture Blog (2015).
    """
    ceiling: float = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
    return ceiling * jitter
