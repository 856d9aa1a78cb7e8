"""Two neighbouring windows of time approximate one that slides: how they move, and what is left.

Method: the sliding window counter of the library `limits`, as Cloudflare describes it ("How we
built rate limiting capable of scaling to millions of domains").
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Windows:
    """What was counted in the present window and in the one before; windows are numbered."""

    number: int
    present: int
    former: int

    def at(self, number: int) -> "Windows":
        """Return them as they are in a later window. A clock that goes back changes nothing."""
        if number <= self.number:
            return self
        return Windows(number, 0, self.present if number == self.number + 1 else 0)

    def weighted(self, left: float) -> float:
        """Return what counts with so much of the present window left, 0..1."""
        return self.former * left + self.present


NOTHING = Windows(0, 0, 0)


def seconds_until_room(
    former: int, present: int, *, left_seconds: float, amount: int, window_seconds: int
) -> int:
    """Return how long it takes until one more is within the amount; at least 1 s."""
    room = amount - 1
    if present <= room and former:
        # The former window's weight falls to what the present one leaves.
        wait = left_seconds - (room - present) * window_seconds / former
    else:
        # The present window has to become the former one, and fall in its turn.
        wait = left_seconds + window_seconds * (1 - room / max(present, 1))
    return max(1, math.ceil(wait))
