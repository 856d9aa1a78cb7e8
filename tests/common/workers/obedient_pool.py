"""A pool of the tests' workers; not beside them, because each would import it (0.2 s)."""

from pathlib import Path

from libs.common.workers.pool import PoolMetrics, WorkerPool
from tests.common.workers.obedient import Done, obedient


def obedient_pool(
    processes: int = 1,
    *,
    timeout_seconds: float = 60.0,
    max_tasks: int | None = None,
    is_lazy: bool = False,
    metrics: PoolMetrics | None = None,
) -> WorkerPool[[Path], Done]:
    return WorkerPool(
        processes,
        obedient,
        name="test worker",
        timeout_seconds=timeout_seconds,
        max_tasks=max_tasks,
        is_lazy=is_lazy,
        metrics=metrics,
    )
