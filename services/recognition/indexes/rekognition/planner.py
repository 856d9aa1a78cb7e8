"""From which faces to search, so that every new pair is met by the fewest paid searches.

A search from one face finds all faces like it. Selfies and photo faces are two sides of a
graph; its edges are the pairs that have not been compared yet: new selfies with all faces, and
all selfies with new faces, but for those that a selfie has met while they waited (see
meetings.py). Searches must cover every edge, from either end.

A cover that leaves out one new selfie holds all faces. Any other holds all new selfies; what is
left is a chain graph, in which an earlier selfie lacks all that a later one lacks. There a
minimal cover is cut at one moment: the faces younger than it, and the selfies that lack older
ones. So the cheapest of all faces and of every such cut is the cheapest there is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sides:
    """The selfies and photo faces of a round, by their ids; old ones have met all other old ones.

    The numbers are of moments: when a selfie last met all faces there were, and when a new face
    was first seen. A selfie has met the faces first seen at its moment or before.
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
        frozenset((*sides.new_selfies, *(s for s, met in sides.old_selfies.items() if met < last))),
        frozenset(face for face, seen in sides.new_faces.items() if seen > moment),
    )
