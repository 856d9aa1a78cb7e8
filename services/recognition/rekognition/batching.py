"""When a batch of analysed photos closes and is matched."""

from dataclasses import dataclass

#: An upload that pauses for less has not ended.
QUIET_SECONDS = 0.5
#: The first batch of a burst closes early, so that guests see photos arrive.
FIRST_BATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of one event waits to be matched, and what may still come."""

    photos: int
    #: Photos that are not analysed yet.
    photos_to_come: int
    #: Since the last upload.
    quiet_seconds: float
    #: Guests to look for.
    selfies: int


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """A batch closes at so many photos or after so many seconds."""

    photos: int
    seconds: float

    def patience(self, seconds_since_last: float | None) -> float:
        """Return how long a batch may grow: briefly, if it is the first of a burst."""
        in_burst = seconds_since_last is not None and seconds_since_last <= self.seconds
        return self.seconds if in_burst else min(FIRST_BATCH_SECONDS, self.seconds)

    def is_closed(self, waiting: Waiting, *, waited_seconds: float, patience: float) -> bool:
        """Whether to match now. Without selfies it costs nothing, so there is no reason to wait."""
        return (
            waiting.selfies == 0
            or waiting.photos >= self.photos
            or waited_seconds >= patience
            or (waiting.photos_to_come == 0 and waiting.quiet_seconds >= QUIET_SECONDS)
        )
