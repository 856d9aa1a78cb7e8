"""The worker processes that run a face engine."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from libs.common.images.known_good import KNOWN_GOOD
from libs.common.workers.pool import PoolMetrics, WorkerPool
from services.recognition import metrics
from services.recognition.engine.analysis import Engine, PhotoAnalysis

#: Makes the face engine of a worker; picklable.
EngineFactory = Callable[[], Engine]
EnginePool = WorkerPool[[Path], PhotoAnalysis]

NAME = "face worker"
METRICS = PoolMetrics(metrics.WORKERS, metrics.WORKERS_BUSY, metrics.WORKERS_LOST)


def engine_pool(
    processes: int, engine_factory: EngineFactory, *, timeout_seconds: float = 60.0
) -> EnginePool:
    """Workers that analyse photos; its `run` raises PermanentError for a file that is none."""
    return WorkerPool(
        processes,
        partial(_analyze_with, engine_factory),
        name=NAME,
        timeout_seconds=timeout_seconds,
        probe=do_known_good,
        metrics=METRICS,
    )


def do_known_good(work: Callable[[Path], object]) -> None:
    """What shows that a worker is well."""
    work(KNOWN_GOOD)


def _analyze_with(engine_factory: EngineFactory) -> Callable[[Path], PhotoAnalysis]:
    return engine_factory().analyze
