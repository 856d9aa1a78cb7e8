"""From which faces to search, so that every new pair is compared by the fewest paid searches.

A search from one face finds all faces like it. Selfies and photo faces are two sides of a
graph; its edges are the pairs that have not been compared yet: new selfies with all faces, and
all selfies with new faces, but for those that a selfie was compared with while they waited (see
`Comparisons`). Searches must cover every edge, from either end.

Which covers are the cheapest? A new selfie has an edge to every face. So a cover without some
new selfie has to hold every face: that is the first plan to try. Every other cover holds all new
selfies, and only the edges between old selfies and new faces are left to cover. A selfie that was
last compared at some moment has edges to all faces first seen after it, so a selfie compared
earlier has all the edges of one compared later. In such a graph (a chain graph) a minimal cover is
given by one moment: it holds the faces first seen after that moment, and the selfies that have an
edge to a face first seen before or at it. These are the other plans to try, one for each moment.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sides:
    """The selfies and photo faces of a round, by their ids; old ones have been compared.

    The numbers are of moments: when a selfie was last compared with all faces there were, and when
    a new face was first seen. It was compared with the faces first seen at its moment or before.
    """

    new_selfies: Sequence[str]
    old_selfies: Mapping[str, int]
    new_faces: Mapping[str, int]
    old_faces: Sequence[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """From which selfies and which photo faces to search."""

    selfies: frozenset[str]
    faces: frozenset[str]

    @property
    def calls(self) -> int:
        """How many searches that takes."""
        return len(self.selfies) + len(self.faces)


class Comparisons:
    """Which of an event's selfies were compared with faces of photos that still wait for a round.

    A selfie that comes while a batch of photos grows is searched for at once, and its search finds
    the waiting photos, too: they need not be compared again when the batch closes. That is kept in
    memory only: what a process does not know is searched for twice, and nothing is missed.

    Faces are named by the service's ids, which no other face ever gets. Time is counted in
    snapshots whose searches were committed: the selfies that were searched from in one have been
    compared with all that waited then.
    """

    def __init__(self) -> None:
        self._now = 0
        self._first_seen: dict[str, int] = {}
        self._compared: dict[str, int] = {}

    def first_seen(self, faces: Iterable[str]) -> dict[str, int]:
        """Return the moments in which these were first seen; of others, one still to come."""
        return {face: self._first_seen.get(face, self._now + 1) for face in faces}

    def last_compared(self, selfies: Iterable[str]) -> dict[str, int]:
        """Return the moments up to which these were compared with all faces; 0 for never."""
        return {selfie: self._compared.get(selfie, 0) for selfie in selfies}

    def record(self, selfies: Iterable[str], *, waiting: Collection[str]) -> None:
        """Remember, once the matches are committed, that these were compared with all waiting."""
        self._now += 1
        self._first_seen = {face: self._first_seen.get(face, self._now) for face in waiting}
        self._compared.update(dict.fromkeys(selfies, self._now))
        if not self._first_seen:
            self._compared.clear()

    def compared_with_all(self, waiting_faces: int) -> int:
        """Return how many selfies were compared with every face that waits now.

        0 where `waiting_faces`, their number, shows that faces came or went since the last round.
        """
        if not self._first_seen or waiting_faces != len(self._first_seen):
            return 0
        last = max(self._first_seen.values())
        return sum(moment >= last for moment in self._compared.values())


def plan_searches(sides: Sides) -> Plan:
    """Return the cheapest plan; of equal ones that with fewer searches from photo faces."""
    if not sides.new_selfies and not sides.old_selfies:
        return Plan(frozenset(), frozenset())
    plans = [_cut(sides, moment) for moment in _moments(sides)]
    plans.append(Plan(frozenset(), frozenset((*sides.new_faces, *sides.old_faces))))
    return min(plans, key=lambda plan: (plan.calls, len(plan.faces)))


def _moments(sides: Sides) -> list[int]:
    """Where a cut may be: after each moment of a face, and before them all."""
    seen = sorted(set(sides.new_faces.values()))
    return [seen[0] - 1, *seen] if seen else [0]


def _cut(sides: Sides, moment: int) -> Plan:
    last = max((seen for seen in sides.new_faces.values() if seen <= moment), default=0)
    return Plan(
        frozenset(
            (
                *sides.new_selfies,
                *(s for s, compared in sides.old_selfies.items() if compared < last),
            )
        ),
        frozenset(face for face, seen in sides.new_faces.items() if seen > moment),
    )
