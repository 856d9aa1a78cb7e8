"""What becomes of a message whose handler failed: one pure function, no transport."""

from dataclasses import dataclass

from pydantic import ValidationError

from libs.common.errors import PermanentError, Unavailable
from libs.common.messaging.bus.topology import RetryPolicy

#: So long a message waits for a part that is away, before it is given up.
OUTAGE_PATIENCE_SECONDS = 3600.0


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
    everything else is, until the policy's attempts are used up. What is away is waited for
    longer: it fails all messages alike, and giving them up would make an outage of seconds a
    loss that people must clear up. A policy that never gives up retries whatever it is.
    """
    is_outage = isinstance(error, Unavailable) and (
        policy.waited_seconds(attempt) < OUTAGE_PATIENCE_SECONDS
    )
    if is_outage or not policy.gives_up:
        return Retry(policy.delay_seconds(attempt))
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, (PermanentError, ValidationError)) or attempt >= policy.max_attempts:
        return DeadLetter(reason[:1000])
    return Retry(policy.delay_seconds(attempt))
