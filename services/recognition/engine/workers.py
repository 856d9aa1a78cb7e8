"""The worker processes that run a face engine, seen from the service.

A worker itself imports `face_engine` alone: this is 0.25 s of imports more.
"""

from functools import partial
from pathlib import Path

from libs.common.telemetry.metrics import WORKERS_LOST
from libs.common.workers.pool import PoolMetrics, WorkerPool
from services.recognition import metrics
from services.recognition.engine.face_engine import (
    EngineFactory,
    PhotoAnalysis,
    analyze_with,
    do_known_good,
)

#: What one worker is called in errors, and where workers are counted.
WORKER_NAME = "face worker"
WORKER_METRICS = PoolMetrics(metrics.WORKERS, metrics.WORKERS_BUSY, WORKERS_LOST)

EnginePool = WorkerPool[[Path], PhotoAnalysis]


def engine_pool(
    processes: int, engine_factory: EngineFactory, *, timeout_seconds: float = 60.0
) -> EnginePool:
    """Workers that analyse photos; its `run` raises PermanentError for a file that is none."""
    return WorkerPool(
        processes,
        partial(analyze_with, engine_factory),
        name=WORKER_NAME,
        timeout_seconds=timeout_seconds,
        probe=do_known_good,
        metrics=WORKER_METRICS,
    )
