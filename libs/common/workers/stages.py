"""What a worker's task spends its time on, for the trace of its caller."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of an analysis; nanoseconds of the epoch, which all processes of a machine share."""

    name: str
    began_ns: int
    ended_ns: int


#: Of the analysis in hand: a worker does one at a time, on one thread.
_stages: list[Stage] = []


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure the block; one that fails was a part as well."""
    began = time.time_ns()
    try:
        yield
    finally:
        _stages.append(Stage(name, began, time.time_ns()))


def take_stages() -> tuple[Stage, ...]:
    """Return what was measured since the last time, and forget it."""
    taken = tuple(_stages)
    _stages.clear()
    return taken
