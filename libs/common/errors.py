"""The domain's errors, each with the ids it is about.

HTTP status comes from `libs.common.web.errors`, ack / retry / dead-letter from
`libs.common.messaging.bus.retry`: one table each, and none anywhere else.
"""


class FindMeError(Exception):
    """Root of all errors that FindMe raises on purpose; the message is for people."""


class InvalidInput(FindMeError):
    """The caller sent something that cannot be used; the message says what to do."""


class NotAuthenticated(FindMeError):
    """No token, or one that is malformed, expired or not ours."""


class AccountGone(NotAuthenticated):
    """The token is ours, but the account that it speaks of was deleted since."""

    def __init__(self, user_id: int) -> None:
        super().__init__("This account does not exist any more. Log in again.")
        self.user_id = user_id


class NotAllowed(FindMeError):
    """The caller is known, but has no right to this."""


class NotFound(FindMeError):
    """There is no such thing, or the caller may not know of it."""

    def __init__(self, kind: str, identifier: object) -> None:
        super().__init__(f"{kind} not found")
        self.kind = kind
        self.identifier = identifier


class Conflict(FindMeError):
    """The request contradicts the present state."""


class TooLarge(InvalidInput):
    """The body is above its limit."""


class Unavailable(FindMeError):
    """A part we depend on cannot serve now; trying again later may work.

    A message whose handler raises this is not to blame: it is retried with patience.
    """

    def __init__(self, message: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TransientError(FindMeError):
    """Work failed for a reason that passes (network, throttling, a lost claim)."""


class PermanentError(FindMeError):
    """Work can never succeed for this input; retrying would only cost."""
