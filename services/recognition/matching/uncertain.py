"""Which matches below an event's threshold are worth keeping: the best of each selfie.

A guest looks through them to find themselves where the engine was not sure; strangers who are a
little alike come after those, and there are as many of them as there are faces. Kept whole they
would grow with guests times photos: 2 million rows for 2,000 guests of 100,000 photos.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache

from services.recognition.engine.face_engine import CALIBRATED_SIMILARITY
from services.recognition.matching.compare import Match

#: Of each selfie; there may be twice as many until the surplus is deleted.
KEPT = 100
#: Events whose selfies' floors are remembered.
EVENTS_KEPT = 1_000
#: For so long nobody looks whether a floor has come down: photos are deleted, guests answer,
#: another engine's matches go. At most `KEPT` matches of a selfie more are written each time.
FLOOR_SECONDS = 60.0


def doubtful_below(threshold: float) -> float:
    """Return the similarity below which only a selfie's best matches are kept.

    Of a strict event more is kept: few strangers are so much alike, and should its threshold be
    taken back to the usual one, its guests have all their photos at once.
    """
    return min(threshold, CALIBRATED_SIMILARITY)


@dataclass(frozen=True, slots=True)
class Floors:
    """Of selfies that have enough matches below a similarity: the least similarity among those."""

    below: float
    of_selfies: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class _Floor:
    similarity: float
    holds_until: float


@dataclass(slots=True)
class _Event:
    below: float
    #: By selfie: the least similarity among its best `KEPT`, once there are so many.
    floors: dict[int, _Floor] = field(default_factory=dict)
    #: By selfie: how many were kept since its floor was found.
    kept: Counter[int] = field(default_factory=Counter)


class UncertainMatches:
    """What this process knows of the uncertain matches that are kept: floors, and what is new.

    It is a memory only: whoever begins without it keeps some more, until it has looked.
    """

    def __init__(self, kept: int = KEPT, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.kept = kept
        self._clock = clock
        self._events: LRUCache[int, _Event] = LRUCache(EVENTS_KEPT)

    def worth_keeping(
        self, event_id: int, found: Sequence[Match], *, threshold: float
    ) -> list[Match]:
        """Return all matches that are not doubtful, and of the others those above the floors."""
        event = self._of(event_id, doubtful_below(threshold))
        now = self._clock()
        worth = []
        for match in found:
            if match.similarity < event.below:
                floor = event.floors.get(match.selfie_id)
                if floor is not None and now >= floor.holds_until:
                    floor = None
                    del event.floors[match.selfie_id]
                if floor is not None and match.similarity <= floor.similarity:
                    continue
                event.kept[match.selfie_id] += 1
            worth.append(match)
        return worth

    def grown(self, event_id: int) -> list[int]:
        """Return the selfies of which so many were kept that there may be a surplus."""
        event = self._events.get(event_id)
        if event is None:
            return []
        return [selfie_id for selfie_id, kept in event.kept.items() if kept >= self.kept]

    def note(self, event_id: int, selfie_ids: Iterable[int], floors: Floors) -> None:
        """These selfies have no surplus any more; those that have enough have a floor.

        Floors of another threshold, that came or went meanwhile, are not this one's.
        """
        event = self._events.get(event_id)
        if event is None or event.below != floors.below:
            return
        for selfie_id in selfie_ids:
            event.kept.pop(selfie_id, None)
        until = self._clock() + FLOOR_SECONDS
        for selfie_id, similarity in floors.of_selfies.items():
            event.floors[selfie_id] = _Floor(similarity, until)

    def forget(self, event_id: int) -> None:
        """Begin without floors: all of the event is compared again."""
        self._events.pop(event_id, None)

    def _of(self, event_id: int, below: float) -> _Event:
        event = self._events.get(event_id)
        if event is None or event.below != below:
            # Another threshold has other matches below it.
            event = self._events[event_id] = _Event(below)
        return event
