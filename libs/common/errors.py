"""The domain's errors, each with the ids it is about.

HTTP status comes from `libs.common.web.errors`, ack / retry / dead-letter from
`libs.common.messaging.bus.retry`: one table each, and none anywhere else.
"""

from typing import ClassVar


class FindMeError(Exception):
    """Root of all errors that FindMe raises on purpose; the message is for people."""

    #: Whether the message may quote what a caller sent: then no log has it.
    quotes_caller: ClassVar[bool] = False


class InvalidInput(FindMeError):
    """The caller sent something that cannot be used; the message says what to do."""

    quotes_caller = True


class NotAuthenticated(FindMeError):
    """No token, or one that is malformed, expired or not ours."""

    quotes_caller = True


class AccountGone(NotAuthenticated):
    """The token is ours, but the account that it speaks of was deleted since."""

    def __init__(self, user_id: int) -> None:
        super().__init__("This account does not exist any more. Log in again.")
        self.user_id = user_id


class NotAllowed(FindMeError):
    """The caller is known, but has no right to this."""

    quotes_caller = True


class NotFound(FindMeError):
    """There is no such thing, or the caller may not know of it."""

    quotes_caller = True

    def __init__(self, kind: str, identifier: object) -> None:
        super().__init__(f"{kind} not found")
        self.kind = kind
        self.identifier = identifier


class Gone(FindMeError):
    """It was there, and is over; the message says whether it can be brought back."""


class Conflict(FindMeError):
    """The request contradicts the present state."""

    quotes_caller = True


class TooLarge(InvalidInput):
    """The body is above its limit."""


class Corrupted(InvalidInput):
    """The body is not what its checksum says."""


class WrongMedia(InvalidInput):
    """The body is of a type that is not taken here."""


class WrongVersion(InvalidInput):
    """The caller speaks another version of a protocol."""


class Unavailable(FindMeError):
    """A part we depend on cannot serve now; trying again later may work.

    A message whose handler raises this is not to blame: it is retried with patience.
    """

    def __init__(self, message: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TooManyRequests(FindMeError):
    """The caller has done this too often (see `libs.common.limits`); later they may again."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Locked(FindMeError):
    """Another request has it, and does not let go of it; a moment later it may be free."""

    def __init__(self, message: str, *, retry_after_seconds: int = 2) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TransientError(FindMeError):
    """Work failed for a reason that passes (network, throttling, a lost claim)."""


class PermanentError(FindMeError):
    """Work can never succeed for this input; retrying would only cost."""
