"""How far an event's photos are, and when they will be done by the pace of late."""

import math
from collections import deque
from dataclasses import dataclass

#: The pace is that of this time: what was done before says nothing of the machines at work now.
PACE_SECONDS = 120.0
#: Of fewer seconds the pace is chance.
LEAST_SECONDS = 1.0
#: Looks at an event that are kept: one a second, for as long as the pace is of.
MAX_LOOKS = 128


@dataclass(frozen=True, slots=True)
class Counts:
    """An event's photos, by what has become of them."""

    queued: int
    analysed: int
    matched: int
    failed: int

    @property
    def received(self) -> int:
        """All of the event's photos."""
        return self.pending + self.finished

    @property
    def pending(self) -> int:
        """Photos of which guests may still be found."""
        return self.queued + self.analysed

    @property
    def finished(self) -> int:
        """Photos that nothing more becomes of."""
        return self.matched + self.failed


class Pace:
    """How fast an event's photos are finished, told by looks at how many are."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque(maxlen=MAX_LOOKS)

    def look(self, at_seconds: float, finished: int) -> None:
        """Note how many were finished then; fewer than before, when photos were deleted since."""
        if self._looks and finished < self._looks[-1][1]:
            self._looks.clear()
        self._looks.append((at_seconds, finished))
        # The last look before the time that counts is where its pace begins.
        while len(self._looks) > 1 and self._looks[1][0] <= at_seconds - PACE_SECONDS:
            self._looks.popleft()

    def seconds_for(self, pending: int) -> int | None:
        """Return how long so many more take; None where nothing pends, or no pace is known."""
        if not pending or len(self._looks) < 2:
            return None
        (began, before), (now, after) = self._looks[0], self._looks[-1]
        if now - began < LEAST_SECONDS or after <= before:
            return None
        return math.ceil(pending * (now - began) / (after - before))
