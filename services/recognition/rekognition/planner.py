"""From which faces to search, so that every new pair is met by the fewest paid searches.

A search from one face finds all faces like it. Selfies and photo faces are two sides of a
graph; its edges are the pairs that have not been compared yet: new selfies with all faces, and
all selfies with new faces. Searches must cover every edge, from either end. Each block of
edges is complete, so a cover holds one whole side of each block, and only three are minimal.
"""

from dataclasses import dataclass
from enum import IntEnum


class From(IntEnum):
    """Which faces of a side are searched from."""

    NONE = 0
    NEW = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class Sides:
    """How many selfies and photo faces there are; old ones have met all other old ones."""

    new_selfies: int
    old_selfies: int
    new_faces: int
    old_faces: int


@dataclass(frozen=True, slots=True)
class Plan:
    """From which selfies and which photo faces to search, and how many calls that takes."""

    selfies: From
    faces: From
    calls: int


def plan_searches(sides: Sides) -> Plan:
    """Return the cheapest plan; of equal ones that with fewer searches from photo faces."""
    all_selfies = sides.new_selfies + sides.old_selfies
    all_faces = sides.new_faces + sides.old_faces
    covers = (
        Plan(From.ALL, From.NONE, all_selfies),
        Plan(From.NEW, From.NEW, sides.new_selfies + sides.new_faces),
        Plan(From.NONE, From.ALL, all_faces),
    )
    return min(covers, key=lambda plan: plan.calls)
