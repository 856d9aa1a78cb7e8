"""The worker processes that run a face engine, seen from the service.

A worker itself imports `face_engine` alone: this is 0.25 s of imports more.
"""

from functools import partial
from pathlib import Path

from libs.common.telemetry.metrics import WORKERS_LOST
from libs.common.workers.line import Share
from libs.common.workers.pool import LineMetrics, PoolMetrics, WorkerPool
from services.recognition import metrics
from services.recognition.engine.face_engine import (
    EngineFactory,
    PhotoAnalysis,
    Purpose,
    analyze_with,
    do_known_good,
)

#: What one worker is called in errors, and where workers are counted.
WORKER_NAME = "face worker"
WORKER_METRICS = PoolMetrics(
    metrics.WORKERS,
    metrics.WORKERS_BUSY,
    WORKERS_LOST,
    LineMetrics(metrics.WORKERS_WAITING, metrics.WORKERS_WAITED, metrics.WORKERS_WAIT_ESTIMATE),
)

#: Whatever else waits, photos have a third of the workers' time: guests come for what is found in
#: them. They cannot have all of it either: 5,000 photos would keep every guest at the door.
PHOTOS = Share("photos", 3)
#: Those of guests with an account.
SELFIES = Share("selfies", 4)
#: Pictures of visitors without an account, who may be anybody.
VISITORS = Share("visitors", 2, gives_way=True)
SHARES = (PHOTOS, SELFIES, VISITORS)

EnginePool = WorkerPool[[Path, Purpose], PhotoAnalysis]


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
        shares=SHARES,
    )
