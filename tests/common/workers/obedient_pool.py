"""A pool of the tests' workers; not beside them, because each would import it (0.2 s)."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from libs.common.workers.line import Share
from libs.common.workers.pool import ALL, PoolMetrics, WorkerPool
from tests.common.workers.obedient import Done, do_known_good, obedient


def obedient_pool(
    processes: int = 1,
    *,
    timeout_seconds: float = 60.0,
    max_tasks: int | None = None,
    is_lazy: bool = False,
    metrics: PoolMetrics | None = None,
    factory: Callable[[], Callable[[Path], Done]] = obedient,
    folder: Path = Path(),
    shares: Sequence[Share] = (ALL,),
) -> WorkerPool[[Path], Done]:
    return WorkerPool(
        processes,
        factory,
        name="test worker",
        timeout_seconds=timeout_seconds,
        max_tasks=max_tasks,
        is_lazy=is_lazy,
        probe=partial(do_known_good, folder=folder),
        metrics=metrics,
        shares=shares,
    )
