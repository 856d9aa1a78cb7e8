"""When a batch of analysed photos is matched, given what that costs.

A round searches from the faces of its photos or from the guests' selfies, whichever costs less.
Searches from faces cost the same now or later. Searches from selfies cost the same for one photo as
for thousands, so that photos should wait for others; but guests should see photos arrive.

In a burst of photos each guest is therefore searched for twice. The first search is made during the
burst: for a selfie that arrives then at once, for the others when a batch has waited long enough.
The second is made when the burst has ended. The first few photos are matched early, by
at most FIRST_SEARCHES searches from their faces.

So what arrives within `longest_seconds`, in whatever order, costs at most 2 x selfies +
FIRST_SEARCHES searches, unless the burst pauses for LONG_QUIET_SECONDS.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

#: An upload that pauses for less has not ended.
QUIET_SECONDS = 0.5
#: The same, where a round more would cost a further search per guest.
LONG_QUIET_SECONDS = 2.0
#: The first photos of a burst are matched so early, from their faces, of which there may be so
#: many: two average photos show one of 50 guests among 120 people with a chance of 99 %.
FIRST_SECONDS = 1.0
FIRST_SEARCHES = 8
#: A burst that is dear waits for so many times the usual seconds.
PATIENCE = 3


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of one event waits to be matched, and what may still come."""

    photos: int
    #: Of these photos.
    faces: int
    #: Photos that are not analysed yet.
    photos_to_come: int
    #: How long the photo has waited that has waited longest.
    waited_seconds: float
    #: Since the last upload.
    quiet_seconds: float
    #: Guests' selfies that are indexed: those that wait, and those that were compared
    #: with all other photos.
    new_selfies: int
    old_selfies: int

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to do."""
        return not self.photos and not self.new_selfies

    @property
    def is_burst(self) -> bool:
        """Whether photos are coming."""
        return bool(self.photos or self.photos_to_come)


class Take(Enum):
    """Which of the waiting photos a round takes."""

    NOTHING = auto()
    FIRST = auto()
    ALL = auto()


@dataclass(slots=True)
class Burst:
    """What has been spent on photos that come together."""

    #: In monotonic seconds; with a long burst it begins anew.
    began: float
    #: When photos were last waiting or expected.
    last_active: float
    #: Besides those for the first photos.
    searches: int = 0
    first_searches: int = 0
    has_found: bool = False

    def spend(self, searches: int, *, new_selfies: int, has_found: bool) -> None:
        """Count a round's searches; each new selfie's own is not one for first photos."""
        own = min(searches, new_selfies)
        others = searches - own
        if not self.has_found and self.first_searches + others <= FIRST_SEARCHES:
            self.first_searches += others
        else:
            self.searches += others
        self.searches += own
        self.has_found = self.has_found or has_found


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """A batch closes at so many photos, and mostly after so many seconds."""

    photos: int
    seconds: float

    @property
    def longest_seconds(self) -> float:
        """The longest that a photo waits for others."""
        return PATIENCE * self.seconds

    def burst_at(self, now: float, last: Burst | None, waiting: Waiting) -> Burst:
        """Return the burst that this moment belongs to, the last one or a new one."""
        if last is None or now - last.last_active > self.seconds:
            last = Burst(began=now, last_active=now)
        if now - last.began > self.longest_seconds:
            last.began, last.searches = now, 0
        if waiting.is_burst:
            last.last_active = now
        return last

    def photos_to_take(self, waiting: Waiting, burst: Burst, *, compared: int = 0) -> Take:
        """Say which photos to match now; `compared`: old selfies that were, with these."""
        searches = min(max(waiting.old_selfies - compared, 0), waiting.faces)
        if not waiting.photos:
            return Take.NOTHING
        if (
            not searches
            or waiting.photos >= self.photos
            or waiting.waited_seconds >= self.longest_seconds
        ):
            return Take.ALL
        selfies = waiting.new_selfies + waiting.old_selfies
        is_affordable = burst.searches + searches <= selfies
        quiet = QUIET_SECONDS if is_affordable else LONG_QUIET_SECONDS
        if waiting.photos_to_come == 0 and waiting.quiet_seconds >= min(quiet, self.seconds):
            return Take.ALL
        if burst.has_found:
            is_due = waiting.waited_seconds >= self.seconds
        elif waiting.waited_seconds < min(FIRST_SECONDS, self.seconds):
            is_due = False
        elif burst.first_searches + searches <= FIRST_SEARCHES:
            return Take.ALL
        elif burst.first_searches < FIRST_SEARCHES:
            return Take.FIRST
        else:
            is_due = True
        return Take.ALL if is_due and is_affordable else Take.NOTHING


def first_photos(faces: Mapping[int, int], *, searches: int) -> list[int]:
    """Return the photos, earliest first, whose faces cost no more searches than these."""
    chosen = []
    for photo_id, count in faces.items():
        if count <= searches:
            chosen.append(photo_id)
            searches -= count
    return chosen
