"""What becomes of a message whose handler failed: one pure function, no transport."""

from dataclasses import dataclass

from pydantic import ValidationError

from libs.common.bus.topology import RetryPolicy
from libs.common.errors import PermanentError


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
    everything else is, until the policy's attempts are used up. A policy that never gives
    up retries whatever it is.
    """
    if not policy.gives_up:
        return Retry(policy.delays_seconds[min(attempt, len(policy.delays_seconds)) - 1])
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, (PermanentError, ValidationError)) or attempt >= policy.max_attempts:
        return DeadLetter(reason[:1000])
    return Retry(policy.delays_seconds[attempt - 1])
