"""What of the unfinished work is lost, and what is only on its way: a pure rule."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Queued:
    """What is known of a queue; every message in it was sent after those before it."""

    #: Messages in it that nobody has been given yet, or on their way there.
    waiting: int
    #: When the latest of the messages was sent that have come through; None when none is known.
    came_through: datetime | None


def lost_before(queue: Queued, cutoff: datetime) -> datetime | None:
    """Return the moment such that unfinished work whose message was sent before it is lost.

    None when nothing is known to be lost. Age alone says little: a backlog of an hour is
    healthy. But of a queue that has nothing more to give, nothing will come; and it gives its
    messages in order, so what a later one has overtaken will not come either. Work younger than
    the cutoff may be in somebody's hands.
    """
    if not queue.waiting:
        return cutoff
    if queue.came_through is None:
        return None
    return min(cutoff, queue.came_through)
