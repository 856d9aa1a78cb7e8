"""How many uploads run at once, and how long the server is left alone after a failure. No IO."""

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_LIMIT: Final = 2
SHORTEST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 60.0
#: A file that the server stumbles over, again and again, is not in the others' way.
LONGEST_FILE_PAUSE_SECONDS: Final = 300.0
#: Nobody is obeyed who says tomorrow.
LONGEST_RETRY_AFTER_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Additive increase, multiplicative decrease, as for TCP (Chiu and Jain, 1989).

    One more at once after as many successes as run at once; half of them after a failure. A link
    that breaks every few minutes is tried by one upload, and filled again within a dozen.
    """

    most: int
    limit: int = FIRST_LIMIT
    #: Since the limit was last raised.
    successes: int = 0
    #: In a row.
    failures: int = 0

    def after_success(self) -> "Pace":
        """The pace once an upload went well."""
        successes = self.successes + 1
        if successes >= self.limit:
            return replace(self, limit=min(self.limit + 1, self.most), successes=0, failures=0)
        return replace(self, successes=successes, failures=0)

    def after_failure(self) -> "Pace":
        """The pace once the network or the server failed."""
        return replace(self, limit=max(1, self.limit // 2), successes=0, failures=self.failures + 1)


def pause_seconds(
    failures: int,
    *,
    retry_after: float | None = None,
    longest: float = LONGEST_PAUSE_SECONDS,
    rng: random.Random,
) -> float:
    """Return the pause after so many failures in a row: doubled each time, and jittered.

    Never shorter than the server asks for (up to LONGEST_RETRY_AFTER_SECONDS); watchers that were
    all sent away by one server do not come back at one moment.
    """
    # The exponent is bounded: it is hours that a network may be away.
    base = min(longest, SHORTEST_PAUSE_SECONDS * 2.0 ** min(max(failures - 1, 0), 30))
    jittered = base * rng.uniform(0.5, 1.0)
    if retry_after is None:
        return jittered
    asked = min(retry_after, LONGEST_RETRY_AFTER_SECONDS)
    return max(jittered, asked * rng.uniform(1.0, 1.1))


def parse_retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Return the seconds of a `Retry-After` (RFC 9110: seconds, or a date), None for neither."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
