"""Who gets the next free worker: weighted fair shares of the workers' time.

Start-time fair queuing (Goyal, Vin and Cheng, 1996) over what tasks really take: a share's clock
advances by the seconds that its tasks had a worker, divided by its weight, and the share whose
clock is furthest behind is next.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

T = TypeVar("T")

#: A share that had nothing to do for a while comes first for so many seconds of a worker, at most:
#: a photo a second does not wait behind a thousand checks. It is no more, so that whoever was
#: away for an hour does not have all workers afterwards.
CREDIT_SECONDS: Final = 1.0
#: What a task is taken to last before the first one of its share has ended.
FIRST_GUESS_SECONDS: Final = 0.2
#: How much the last task says of the next one.
SMOOTHING: Final = 0.1
#: Whoever comes waits until a task that has a worker is over. It is long by what theirs take, and
#: not by a clock: on a busy machine all tasks are, and to leave a worker idle then helps nobody.
LONG: Final = 2.0


@dataclass(frozen=True, slots=True)
class Share:
    """A kind of task that has `weight` of all waiting kinds' weights of the workers' time.

    One that gives way leaves a worker to the others, where there are several, while its tasks take
    LONG times as long as theirs: they may be made to. No worker idles for any other reason while
    something waits.
    """

    name: str
    weight: int = 1
    gives_way: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Turn(Generic[T]):
    """A task that has got a worker, when it got it, and what it was taken to last."""

    share: Share
    task: T
    began: float
    guessed_seconds: float

    def more_seconds(self, now: float) -> float:
        """Return how much longer it has lasted."""
        return max(now - self.began - self.guessed_seconds, 0.0)


@dataclass(slots=True)
class _Queue(Generic[T]):
    weight: int
    #: Seconds of workers by weight.
    clock: float = 0.0
    mean_seconds: float = FIRST_GUESS_SECONDS
    done: int = 0
    tasks: deque[T] = field(default_factory=deque)
    in_hand: list[Turn[T]] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        return bool(self.tasks or self.in_hand)

    def clock_at(self, now: float) -> float:
        """The clock, with what the tasks in hand have taken by now."""
        return self.clock + sum(turn.more_seconds(now) for turn in self.in_hand) / self.weight


class Line(Generic[T]):
    """Tasks of all shares that wait for a worker; each share's own come in their order."""

    def __init__(
        self,
        shares: Sequence[Share],
        *,
        workers: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self._workers = workers
        self._clock = clock
        self._queues: dict[Share, _Queue[T]] = {share: _Queue(share.weight) for share in shares}
        #: The clock of whoever is furthest behind, of those that have something to do.
        self._behind = 0.0

    def join(self, share: Share, task: T) -> None:
        """Wait behind the others of the share."""
        with self._lock:
            queue = self._queues[share]
            if not queue.is_active:
                queue.clock = max(queue.clock, self._behind - CREDIT_SECONDS / queue.weight)
            queue.tasks.append(task)

    def leave(self, share: Share, task: T) -> None:
        """Give up waiting; nothing happens where the task has left already."""
        with self._lock:
            queue = self._queues[share]
            if task in queue.tasks:
                queue.tasks.remove(task)

    def next(self) -> Turn[T] | None:
        """Return whose turn it is, None where nothing waits or what waits gives way.

        `done` is to be called once the task has left its worker, and then `next` again.
        """
        with self._lock:
            now = self._clock()
            active = [queue for queue in self._queues.values() if queue.is_active]
            if active:
                behind = min(queue.clock_at(now) for queue in active)
                self._behind = max(self._behind, behind)
            ready = self._ready()
            if not ready:
                return None
            share = min(ready, key=lambda one: self._queues[one].clock_at(now))
            queue = self._queues[share]
            turn = Turn(share, queue.tasks.popleft(), now, queue.mean_seconds)
            queue.clock += turn.guessed_seconds / queue.weight
            queue.in_hand.append(turn)
            return turn

    def has_ready(self) -> bool:
        """Return whether `next` would find a task."""
        with self._lock:
            return bool(self._ready())

    def done(self, turn: Turn[T], *, was_work: bool = True) -> None:
        """Put right what the share's clock was given for the task, which may have done nothing."""
        with self._lock:
            queue = self._queues[turn.share]
            seconds = self._clock() - turn.began if was_work else 0.0
            queue.in_hand.remove(turn)
            queue.clock += (seconds - turn.guessed_seconds) / queue.weight
            if was_work:
                queue.done += 1
                weight = max(SMOOTHING, 1 / queue.done)
                queue.mean_seconds += weight * (seconds - queue.mean_seconds)

    def waiting(self, share: Share) -> int:
        """Return how many of the share wait."""
        return len(self._queues[share].tasks)

    def wait_seconds(self, share: Share) -> float:
        """Return about how long a task of the share that comes now will wait for a worker."""
        with self._lock:
            own = self._queues[share]
            active = [queue for queue in self._queues.values() if queue.is_active]
            is_free = sum(len(queue.in_hand) for queue in active) < self._workers
            if is_free and len(own.in_hand) < self._may_have(share):
                return 0.0
            weights = sum(queue.weight for queue in active if queue is not own) + own.weight
            by_weight = (len(own.tasks) + 1) * own.mean_seconds * weights / own.weight
            # Where the others have little to do, the workers are soon the share's alone.
            in_all = sum(len(queue.tasks) * queue.mean_seconds for queue in active)
            return min(by_weight, in_all + own.mean_seconds) / self._may_have(share)

    def _ready(self) -> list[Share]:
        return [
            share
            for share, queue in self._queues.items()
            if queue.tasks and len(queue.in_hand) < self._may_have(share)
        ]

    def _may_have(self, share: Share) -> int:
        """Return how many of the workers."""
        others = [
            queue.mean_seconds
            for other, queue in self._queues.items()
            if other is not share and queue.done
        ]
        mean_seconds = self._queues[share].mean_seconds
        is_long = bool(others) and mean_seconds > LONG * max(others)
        return max(1, self._workers - (share.gives_way and is_long))
