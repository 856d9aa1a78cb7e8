"""Which selfies have met the faces of photos that still wait for their batch.

A selfie that comes while a batch grows is searched for at once, and its search finds the waiting
photos, too. They need not be compared again when the batch closes. That is remembered in memory
only: what a process does not know is searched for twice, and nothing is missed.
"""

from collections.abc import Collection, Iterable


class Meetings:
    """One event's. Faces are named by the service's ids, which no other face ever gets.

    Time is counted in snapshots whose searches were committed: all that waited in one has met
    the selfies that were searched from then.
    """

    def __init__(self) -> None:
        self._now = 0
        self._seen: dict[str, int] = {}
        self._met: dict[str, int] = {}

    def first_seen(self, faces: Iterable[str]) -> dict[str, int]:
        """Return the moments in which these were first seen; of others, one still to come."""
        return {face: self._seen.get(face, self._now + 1) for face in faces}

    def last_met(self, selfies: Iterable[str]) -> dict[str, int]:
        """Return the moments up to which these have met all faces; 0 for never."""
        return {selfie: self._met.get(selfie, 0) for selfie in selfies}

    def record(self, selfies: Iterable[str], *, waiting: Collection[str]) -> None:
        """Remember, once the matches are committed, that these met all that was waiting."""
        self._now += 1
        self._seen = {face: self._seen.get(face, self._now) for face in waiting}
        self._met.update(dict.fromkeys(selfies, self._now))
        if not self._seen:
            self._met.clear()

    def have_met_all(self, waiting_faces: int) -> int:
        """Estimate how many selfies have met so many waiting faces, all there are."""
        if not self._seen or waiting_faces != len(self._seen):
            return 0
        last = max(self._seen.values())
        return sum(met >= last for met in self._met.values())
