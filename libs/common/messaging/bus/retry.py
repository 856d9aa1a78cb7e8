"""What becomes of a message whose handler failed, and after which delays it is tried again.

A pure function from policy, error and attempt to a decision; no transport.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from pydantic import ValidationError

from libs.common.errors import FindMeError, PermanentError, Unavailable
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

    def wait_seconds(self, waits: int) -> float:
        """How long to wait for what is away, having waited so many times.

        No longer than it has been away, but for the first delay: a consumer that is cut off
        refuses what it gets, while another one could do it.
        """
        waited = self.waited_seconds(waits)
        return max(
            (delay for delay in self.delays_seconds if delay <= waited),
            default=self.delays_seconds[0],
        )

    def waited_seconds(self, waits: int) -> float:
        """How long a message has waited for what is away, in so many waits."""
        waited = 0.0
        for delay, longer in pairwise((*self.delays_seconds, math.inf)):
            until_longer = (
                max(math.ceil((longer - waited) / delay), 0) if longer < math.inf else waits
            )
            taken = min(waits, until_longer)
            waited += taken * delay
            waits -= taken
        return waited


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after a delay."""

    delay_seconds: float
    #: What failed was something else that is away: that counts as no attempt at the message.
    is_wait: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Give up and keep the message where people can see and replay it."""

    reason: str


Decision = Retry | DeadLetter


def decide(error: Exception, attempt: int, policy: RetryPolicy, *, waits: int = 0) -> Decision:
    """Decide on a failed attempt; `attempt` is 1 for the first.

    A message that cannot be decoded and an input that can never work are not retried;
    everything else is, until the policy's attempts are used up. What is away, or used up (disk
    space, memory, open files), is waited for longer, and by a count of its own (`waits`, those
    so far): it fails all messages alike, and giving them up would make an outage of seconds a
    loss that people must clear up; nor is a message that waited for it nearer to its last
    attempt. A policy that never gives up retries whatever it is.
    """
    reason = f"{type(error).__name__}: {error}"[:1000]
    # Errors of ours say what they are, whatever they were raised from.
    is_ours = isinstance(error, FindMeError)
    if isinstance(error, Unavailable) or (not is_ours and lacks(error) is not None):
        if policy.gives_up and policy.waited_seconds(waits) >= OUTAGE_PATIENCE_SECONDS:
            return DeadLetter(reason)
        return Retry(policy.wait_seconds(waits), is_wait=True)
    if policy.gives_up and (
        isinstance(error, (PermanentError, ValidationError)) or attempt >= policy.max_attempts
    ):
        return DeadLetter(reason)
    return Retry(policy.delay_seconds(attempt))
