"""An event's photos and selfies as they come in time, and the searches that matching them takes.

No IO: the clock is a number. A round knows what was there when it began, and takes as long as its
calls do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.recognition.indexes.rekognition.planner import Comparisons, Plan, Sides, plan_searches
from services.recognition.rekognition_rounds.batching import (
    FIRST_SEARCHES,
    BatchLimits,
    Burst,
    Take,
    Waiting,
    first_photos,
)

TICK_SECONDS = 0.1
ANALYSIS_SECONDS = 0.7
CALL_SECONDS = 0.3
CALLS_AT_ONCE = 10

Pair = tuple[str, str]


@dataclass(frozen=True)
class Arrivals:
    """When photos are uploaded, with so many faces, and when selfies are indexed; in seconds."""

    photos: Sequence[tuple[float, int]]
    selfies: Sequence[float]

    @property
    def pairs(self) -> int:
        """All selfies with all faces."""
        return len(self.selfies) * sum(faces for _, faces in self.photos)


@dataclass
class Snapshot:
    """What a round knows, and what it is to compare."""

    photos: dict[int, list[str]]
    waiting: list[str]
    new_selfies: list[str]
    plan: Plan
    pairs: set[Pair]


@dataclass
class Event:
    """What is committed: photos and selfies that wait, those that are done, who has met."""

    waiting: dict[int, list[str]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    new_selfies: list[str] = field(default_factory=list)
    old_selfies: list[str] = field(default_factory=list)
    met: set[Pair] = field(default_factory=set)
    searches: int = 0

    def add_photo(self, faces: int) -> None:
        number = sum(map(len, self.waiting.values())) + len(self.done)
        self.waiting[number] = [f"face {number + more}" for more in range(faces)]

    def add_selfie(self) -> None:
        self.new_selfies.append(f"selfie {len(self.new_selfies) + len(self.old_selfies)}")

    def begin(self, photo_ids: Sequence[int], comparisons: Comparisons) -> Snapshot:
        """Read both sides and search; nothing is committed yet."""
        photos = {photo_id: self.waiting[photo_id] for photo_id in photo_ids}
        new_faces = [face for faces in photos.values() for face in faces]
        waiting = [
            face
            for photo_id, faces in self.waiting.items()
            if photo_id not in photos
            for face in faces
        ]
        plan = plan_searches(
            Sides(
                new_selfies=list(self.new_selfies),
                old_selfies=comparisons.last_compared(self.old_selfies),
                new_faces=comparisons.first_seen(new_faces),
                old_faces=list(self.done),
            )
        )
        self.searches += plan.calls
        every = {*new_faces, *self.done, *waiting}
        pairs = {(selfie, face) for selfie in plan.selfies for face in every}
        pairs |= {
            (selfie, face)
            for face in plan.faces
            for selfie in (*self.new_selfies, *self.old_selfies)
        }
        return Snapshot(photos, waiting, list(self.new_selfies), plan, pairs)

    def commit(self, snapshot: Snapshot, comparisons: Comparisons) -> None:
        """Write what the round found, whatever others have done meanwhile."""
        self.met |= snapshot.pairs
        for photo_id, faces in snapshot.photos.items():
            if self.waiting.pop(photo_id, None) is not None:
                self.done.extend(faces)
        for selfie in snapshot.new_selfies:
            if selfie in self.new_selfies:
                self.new_selfies.remove(selfie)
                self.old_selfies.append(selfie)
        comparisons.record(snapshot.plan.selfies, waiting=snapshot.waiting)


@dataclass(frozen=True)
class Passed:
    """How it went: the event in the end, and how long photos waited since their analysis."""

    event: Event
    longest_wait: float


@dataclass
class Economical:
    """The policy in use, with one round after another."""

    limits: BatchLimits = field(default_factory=lambda: BatchLimits(photos=200, seconds=10))
    comparisons: Comparisons = field(default_factory=Comparisons)
    burst: Burst | None = None

    def chosen(self, event: Event, waiting: Waiting, now: float) -> list[int]:
        self.burst = self.limits.burst_at(now, self.burst, waiting)
        compared = self.comparisons.compared_with_all(waiting.faces)
        match self.limits.photos_to_take(waiting, self.burst, compared=compared):
            case Take.NOTHING:
                return []
            case Take.ALL:
                return list(event.waiting)[: self.limits.photos]
            case Take.FIRST:
                faces = {photo_id: len(names) for photo_id, names in event.waiting.items()}
                left = FIRST_SEARCHES - self.burst.first_searches
                chosen = first_photos(faces, searches=left)
                if not chosen:
                    self.burst.first_searches = FIRST_SEARCHES
                return chosen

    def spent(self, waiting: Waiting, snapshot: Snapshot) -> None:
        assert self.burst is not None
        if waiting.is_burst:
            self.burst.spend(
                snapshot.plan.calls,
                new_selfies=len(snapshot.new_selfies),
                has_found=snapshot.plan.calls > 0,
            )


@dataclass
class Plain:
    """What a batch would be without regard to its cost: a second first, then ten, or quiet."""

    comparisons: Comparisons = field(default_factory=Comparisons)
    opened: float | None = None
    last_closed: float | None = None

    def chosen(self, event: Event, waiting: Waiting, now: float) -> list[int]:
        self.comparisons = Comparisons()  # it remembers nothing
        if not waiting.photos:
            return []
        if self.opened is None:
            self.opened = now
        in_burst = self.last_closed is not None and self.opened - self.last_closed <= 10
        is_quiet = waiting.photos_to_come == 0 and waiting.quiet_seconds >= 0.5
        selfies = waiting.new_selfies + waiting.old_selfies
        if selfies and not is_quiet and now - self.opened < (10 if in_burst else 1):
            return []
        self.opened = None
        if selfies:
            self.last_closed = now
        return list(event.waiting)[:200]

    def spent(self, waiting: Waiting, snapshot: Snapshot) -> None:
        pass


def play(arrivals: Arrivals, policy: Economical | Plain) -> Passed:
    """Let time pass until everything is matched."""
    event = Event()
    uploads = sorted(arrivals.photos)
    analysed = [(at + ANALYSIS_SECONDS, faces) for at, faces in uploads]
    selfies = sorted(arrivals.selfies)
    since: dict[int, float] = {}
    ticks, longest_wait = 0, 0.0
    while True:
        now = ticks * TICK_SECONDS
        while analysed and analysed[0][0] <= now:
            event.add_photo(analysed.pop(0)[1])
        while selfies and selfies[0] <= now:
            event.add_selfie()
            selfies.pop(0)
        for photo_id in event.waiting:
            since.setdefault(photo_id, now)
        uploaded = [at for at, _ in uploads if at <= now]
        waiting = Waiting(
            photos=len(event.waiting),
            faces=sum(map(len, event.waiting.values())),
            photos_to_come=len(uploaded) - (len(uploads) - len(analysed)),
            waited_seconds=now - min((since[p] for p in event.waiting), default=now),
            quiet_seconds=now - max(uploaded, default=0),
            new_selfies=len(event.new_selfies),
            old_selfies=len(event.old_selfies),
        )
        ticks += 1
        if waiting.is_nothing:
            if not analysed and not selfies:
                return Passed(event, longest_wait)
            continue
        photo_ids = policy.chosen(event, waiting, now)
        if not photo_ids and not event.new_selfies:
            continue
        snapshot = event.begin(photo_ids, policy.comparisons)
        policy.spent(waiting, snapshot)
        ticks += round(-(-snapshot.plan.calls // CALLS_AT_ONCE) * CALL_SECONDS / TICK_SECONDS)
        event.commit(snapshot, policy.comparisons)
        waits = [ticks * TICK_SECONDS - since[photo_id] for photo_id in photo_ids]
        longest_wait = max([longest_wait, *waits])
