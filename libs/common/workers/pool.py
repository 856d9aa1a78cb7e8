"""A pool of worker processes for native code: a crash costs one worker and one task, nothing else.

Every worker has a pipe of its own. In a pool that shares one pipe and its lock
(concurrent.futures and others), a worker that the kernel kills at the wrong moment, or while
idle, breaks all of them.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, Self

from prometheus_client import Counter, Gauge, Histogram

from libs.common.exhaustion import Exhausted, lacks
from libs.common.telemetry import tracing
from libs.common.workers.errors import WorkersStopped
from libs.common.workers.line import Line, Share, Turn
from libs.common.workers.process import WorkerProcess
from libs.common.workers.serving import A, Answer, Factory, P, Probe
from libs.common.workers.starting import starter
from libs.common.workers.trial import tried


@dataclass(frozen=True, slots=True)
class LineMetrics:
    """By `share`: tasks that wait for a worker, how long they waited, and one more would."""

    waiting: Gauge
    waited: Histogram
    estimate: Gauge


@dataclass(frozen=True, slots=True)
class PoolMetrics:
    """Where a pool counts its workers, those with a task in hand, and those that died over one."""

    workers: Gauge
    busy: Gauge
    #: By `cause`: crashed (or killed), timed_out.
    lost: Counter
    line: LineMetrics | None = None


#: Of a pool whose tasks are of one kind.
ALL: Final = Share("all")


class WorkerPool(Generic[P, A]):
    """`processes` workers, used from asyncio; what they run is made by `factory`, see `starter`.

    How many tasks wait for a free worker is bounded by the callers: each holds a message or a
    turn. They come in their order, each share of them in its own (see `Line`). A pool is bound to
    no event loop: one after the other may use it.
    """

    def __init__(
        self,
        processes: int,
        factory: Factory[P, A],
        *,
        name: str,
        timeout_seconds: float = 60.0,
        max_tasks: int | None = None,
        is_lazy: bool = False,
        probe: Probe[P, A] | None = None,
        metrics: PoolMetrics | None = None,
        shares: Sequence[Share] = (ALL,),
    ) -> None:
        """`name` is what one worker is called in errors; tasks are of the first of the shares.

        A worker is replaced after `max_tasks`, so that what native code leaks stays small. A
        lazy pool starts a worker with the first task that finds none idle. `probe` has a worker
        do a task that cannot fail where all is well, before anything is held against another.
        """
        self._starter = starter(processes, factory, probe, name=name)
        self._workers: list[WorkerProcess[P, A]] = [
            WorkerProcess(
                self._starter, name=name, timeout_seconds=timeout_seconds, max_tasks=max_tasks
            )
            for _ in range(processes)
        ]
        self._name = name
        self._is_lazy = is_lazy
        self._metrics = metrics
        # The one that worked last is asked first: of a lazy pool no more start than are needed.
        self._idle = deque(self._workers)
        # One thread per worker waits on its pipe; the loop's own executor is for short things.
        # So many tasks are in hand at most, and each finds a worker.
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix=name.replace(" ", "-"))
        self._line: Line[_Task[P, A]] = Line(shares, workers=processes)
        #: One for each thread that takes turns, or is about to.
        self._loops: set[object] = set()
        self._loops_lock = threading.Lock()
        self._first_share = shares[0]
        if metrics is not None and metrics.line is not None:
            for share in shares:
                estimate = metrics.line.estimate.labels(share.name)
                estimate.set_function(partial(self._line.wait_seconds, share))

    async def __aenter__(self) -> Self:
        """Start all workers, unless the pool is lazy; raises what the factory raises."""
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """See `__aenter__`; blocks."""
        if not self._is_lazy:
            # Once: what all have in common would be tried by each.
            self._starter.prepare()
            starts = [self._threads.submit(worker.start) for worker in self._workers]
            try:
                for start in starts:
                    start.result()
            except BaseException:
                self._end()
                raise
        if self._metrics is not None:
            self._metrics.workers.inc(len(self._workers))

    def stop(self) -> None:
        """Give up what still runs, which raises WorkersStopped, and end all workers; blocks."""
        if self._metrics is not None:
            self._metrics.workers.dec(len(self._workers))
        self._end()

    @property
    def processes(self) -> int:
        """How many tasks are in hand at once, at most."""
        return len(self._workers)

    async def run(self, *args: P.args, **kwargs: P.kwargs) -> A:
        """Run a task in the next free worker; cancelling kills that worker.

        Raises what the task raises (a WorkerError where that cannot leave the worker),
        WorkerCrashed or WorkerTimedOut where it is proven that the task is to blame (see
        `tried`), else Unavailable: WorkerOverwhelmed, WorkerNotStarted, Exhausted, WorkersStopped.
        """
        return await self.run_as(self._first_share, *args, **kwargs)

    async def run_as(self, share: Share, /, *args: P.args, **kwargs: P.kwargs) -> A:
        """As `run`, for a task of another share."""
        call: _Call[P, A] = _Call()
        task = _Task(call, partial(self._work, call, *args, **kwargs))
        self._join(share, task)
        try:
            self._take_turns()
        except RuntimeError as error:
            self._line.leave(share, task)
            self._count_left(share)
            if (what := lacks(error)) is not None:
                raise Exhausted(what) from error
            msg = f"the {self._name}s have stopped"  # the threads were told to end
            raise WorkersStopped(msg) from error
        try:
            answer = await asyncio.wrap_future(task.done)
        except asyncio.CancelledError:
            task.call.give_up()
            raise
        for stage in answer.stages:
            tracing.past(stage.name, stage.began_ns, stage.ended_ns)
        if answer.error is not None:
            raise answer.error
        return answer.result  # type: ignore[return-value]  # A may be None, too

    def wait_seconds(self, share: Share) -> float:
        """Return about how long a task of the share that comes now will wait for a worker."""
        return self._line.wait_seconds(share)

    def _join(self, share: Share, task: "_Task[P, A]") -> None:
        self._line.join(share, task)
        if self._metrics is not None and self._metrics.line is not None:
            self._metrics.line.waiting.labels(share.name).inc()

    def _take_turns(self) -> None:
        """Have one more thread take turns, where one is free and a task is ready.

        Raises RuntimeError where there is none and none can be begun.
        """
        loop = object()
        with self._loops_lock:
            if len(self._loops) >= len(self._workers) or not self._line.has_ready():
                return
            self._loops.add(loop)
            try:
                self._threads.submit(self._do_turns, loop)
            except RuntimeError:
                # It may lie in the executor all the same, and finds then that it is none.
                self._loops.discard(loop)
                if not self._loops:
                    raise

    def _next(self, loop: object) -> "Turn[_Task[P, A]] | None":
        """Return the loop's next turn, None where it is to end.

        In one step, so that no task comes in between and counts on it.
        """
        with self._loops_lock:
            turn = self._line.next() if loop in self._loops else None
            if turn is None:
                self._loops.discard(loop)
        return turn

    def _do_turns(self, loop: object) -> None:
        while (turn := self._next(loop)) is not None:
            # The task before may have made more of them ready than the one that is taken now.
            # Where no thread can be begun, this one takes them in their turn.
            with suppress(RuntimeError):
                self._take_turns()
            task = turn.task
            self._count_left(turn.share, waited_seconds=turn.began - task.came)
            is_wanted = task.done.set_running_or_notify_cancel()
            try:
                answer = task.work() if is_wanted else None
            except BaseException as error:  # noqa: BLE001 - whoever waits raises it
                self._line.done(turn)
                task.done.set_exception(error)
            else:
                self._line.done(turn, was_work=is_wanted)
                if answer is not None:
                    task.done.set_result(answer)

    def _count_left(self, share: Share, *, waited_seconds: float | None = None) -> None:
        if self._metrics is None or self._metrics.line is None:
            return
        self._metrics.line.waiting.labels(share.name).dec()
        if waited_seconds is not None:
            self._metrics.line.waited.labels(share.name).observe(waited_seconds)

    def _work(self, call: "_Call[P, A]", *args: P.args, **kwargs: P.kwargs) -> Answer[A]:
        worker = self._idle.pop()
        if self._metrics is not None:
            self._metrics.busy.inc()
        try:
            call.begin(worker)
            return tried(worker, call.check, self._count_lost, *args, **kwargs)
        finally:
            call.end()
            if self._metrics is not None:
                self._metrics.busy.dec()
            self._idle.append(worker)

    def _count_lost(self, cause: str) -> None:
        if self._metrics is not None:
            self._metrics.lost.labels(cause).inc()

    def _end(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._starter.stop()
        self._threads.shutdown()


@dataclass(slots=True)
class _Call(Generic[P, A]):
    """A task on its way through a worker, which another thread may give up meanwhile."""

    _worker: WorkerProcess[P, A] | None = None
    _is_given_up: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, worker: WorkerProcess[P, A]) -> None:
        with self._lock:
            self._check()
            worker.take()
            self._worker = worker

    def check(self) -> None:
        """Raise WorkersStopped where nobody waits for the task any more."""
        with self._lock:
            self._check()

    def _check(self) -> None:
        if self._is_given_up:
            msg = "nobody waits for this any more"
            raise WorkersStopped(msg)

    def end(self) -> None:
        with self._lock:
            self._worker = None

    def give_up(self) -> None:
        """Kill the worker that has the task, and only then: it may have got the next already."""
        with self._lock:
            self._is_given_up = True
            if self._worker is not None:
                self._worker.kill()


@dataclass(eq=False, slots=True)
class _Task(Generic[P, A]):
    """What is to be done, and whoever waits for its answer."""

    call: _Call[P, A]
    work: Callable[[], Answer[A]]
    done: "Future[Answer[A]]" = field(default_factory=Future)
    #: By the monotonic clock.
    came: float = field(default_factory=time.monotonic)
