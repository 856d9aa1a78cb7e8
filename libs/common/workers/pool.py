"""A pool of worker processes for native code: a crash costs one worker and one task, nothing else.

Every worker has a pipe of its own. In a pool that shares one pipe and its lock
(concurrent.futures and others), a worker that the kernel kills at the wrong moment, or while
idle, breaks all of them.
"""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Self

from prometheus_client import Counter, Gauge

from libs.common.exhaustion import Exhausted, lacks
from libs.common.telemetry import tracing
from libs.common.workers.process import WorkerProcess, WorkersStopped
from libs.common.workers.serving import A, Answer, Factory, P, Probe
from libs.common.workers.trial import tried


@dataclass(frozen=True, slots=True)
class PoolMetrics:
    """Where a pool counts its workers, those with a task in hand, and those that died over one."""

    workers: Gauge
    busy: Gauge
    #: By `cause`: crashed (or killed), timed_out.
    lost: Counter


class WorkerPool(Generic[P, A]):
    """`processes` spawned workers, used from asyncio; what they run is made in each by `factory`.

    How many tasks wait for a free worker is bounded by the callers: each holds a message or a
    turn. A pool is bound to no event loop: one after the other may use it.
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
    ) -> None:
        """`name` is what one worker is called in errors.

        A worker is replaced after `max_tasks`, so that what native code leaks stays small. A
        lazy pool starts a worker with the first task that finds none idle. `probe` has a worker
        do a task that cannot fail where all is well, before anything is held against another.
        """
        self._workers = [
            WorkerProcess(
                factory,
                name=name,
                timeout_seconds=timeout_seconds,
                max_tasks=max_tasks,
                probe=probe,
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

    async def __aenter__(self) -> Self:
        """Start all workers, unless the pool is lazy; raises what the factory raises."""
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """See `__aenter__`; blocks."""
        if not self._is_lazy:
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

    async def run(self, *args: P.args, **kwargs: P.kwargs) -> A:
        """Run a task in the next free worker; cancelling kills that worker.

        Raises what the task raises (a WorkerError where that cannot leave the worker),
        WorkerCrashed or WorkerTimedOut where it is proven that the task is to blame (see
        `tried`), else Unavailable: WorkerOverwhelmed, WorkerNotStarted, Exhausted, WorkersStopped.
        """
        call: _Call[P, A] = _Call()
        try:
            work: Future[Answer[A]] = self._threads.submit(self._work, call, *args, **kwargs)
        except RuntimeError as error:
            if (what := lacks(error)) is not None:
                raise Exhausted(what) from error
            msg = f"the {self._name}s have stopped"  # the threads were told to end
            raise WorkersStopped(msg) from error
        try:
            answer = await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            call.give_up()
            raise
        for stage in answer.stages:
            tracing.past(stage.name, stage.began_ns, stage.ended_ns)
        if answer.error is not None:
            raise answer.error
        return answer.result  # type: ignore[return-value]  # A may be None, too

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
