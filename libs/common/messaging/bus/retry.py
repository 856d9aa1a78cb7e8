"""What becomes of a message whose handler failed, and after which delays it is tried again.

A pure function from policy, error and attempt to a decision; no transport.
"""

from dataclasses import dataclass

from pydantic import ValidationError

from libs.common.errors import PermanentError, Unavailable
from libs.common.exhaustion import lacks

DEFAULT_RETRY_DELAYS_SECONDS = (5.0, 60.0, 600.0)
IN_PROCESS_RETRY_DELAYS_SECONDS = (0.2, 1.0, 5.0)
COLLECT_RETRY_DELAYS_SECONDS = (0.2, 1.0, 5.0, 30.0)
#: So long a message waits for a part that is away, before it is given up.
OUTAGE_PATIENCE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait before each further attempt, and where the message waits.

    Waiting in the broker lets later messages pass; waiting in process keeps the order.
    """

    delays_seconds: tuple[float, ...] = DEFAULT_RETRY_DELAYS_SECONDS
    keeps_order: bool = False
    #: False: the last delay repeats until an attempt succeeds.
    gives_up: bool = True

    @property
    def max_attempts(self) -> int:
        """Attempts in all, the first included, of a policy that gives up."""
        return len(self.delays_seconds) + 1

    def delay_seconds(self, attempt: int) -> float:
        """How long to wait after a failed attempt; the last delay repeats."""
        return self.delays_seconds[min(attempt, len(self.delays_seconds)) - 1]

    def waited_seconds(self, attempt: int) -> float:
        """How long a message has waited by its so-many-th attempt."""
        further = max(attempt - self.max_attempts, 0)
        return sum(self.delays_seconds[: attempt - 1]) + further * self.delays_seconds[-1]


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after a delay."""

    delay_seconds: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Give up and keep the message where people can see and replay it."""

    reason: str


Decision = Retry | DeadLetter


def decide(error: Exception, attempt: int, policy: RetryPolicy) -> Decision:
    """Decide on a failed attempt; `attempt` is 1 for the first.

    A message that cannot be decoded and an input that can never work are not retried;
    everything else is, until the policy's attempts are used up. What is away, or used up (disk
    space, memory, open files), is waited for longer: it fails all messages alike, and giving
    them up would make an outage of seconds a loss that people must clear up. A policy that never
    gives up retries whatever it is.
    """
    is_outage = isinstance(error, Unavailable) or lacks(error) is not None
    is_waited_for = is_outage and policy.waited_seconds(attempt) < OUTAGE_PATIENCE_SECONDS
    if is_waited_for or not policy.gives_up:
        return Retry(policy.delay_seconds(attempt))
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, (PermanentError, ValidationError)) or attempt >= policy.max_attempts:
        return DeadLetter(reason[:1000])
    return Retry(policy.delay_seconds(attempt))
