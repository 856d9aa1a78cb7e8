"""Worker processes that outlive a test: to start two takes longer than most tests do."""

import asyncio
import atexit
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from libs.common.workers.pool import WorkerPool
from libs.common.workers.serving import A, P
from libs.common.workers.template import Template
from services.recognition.engine.face_engine import EngineFactory
from services.recognition.engine.workers import engine_pool
from services.recognition.indexes.open import (
    WorkerPools,
    image_pool,
    local_workers,
    open_worker_pools,
)
from services.recognition.settings import RecognitionSettings

#: Of many kinds; a key is always of the same.
_POOLS: dict[tuple[object, ...], Any] = {}


@asynccontextmanager
async def lent_pools(
    engine_factory: EngineFactory, settings: RecognitionSettings
) -> AsyncIterator[WorkerPools]:
    """Yield so many workers with the engine as the settings ask for, one test after the other.

    A worker that a test kills is started anew by whoever needs it next. An engine that is given
    files of its test gets workers of its own.
    """
    if _has_files(engine_factory):
        async with open_worker_pools(settings, engine_factory) as own:
            yield own
        return
    processes = local_workers(settings)
    engine = await _lent(
        (processes, *_identity(engine_factory)), partial(engine_pool, processes, engine_factory)
    )
    images = None
    if settings.face_recognizer_provider == "rekognition":
        key = (image_pool, settings.photo_queue_workers, settings.pixel_limit)
        images = await _lent(key, partial(image_pool, settings))
    yield WorkerPools(engine, images)


def lent_processes() -> set[int]:
    """The pids of the workers that outlive the test."""
    workers = [worker for pool in _POOLS.values() for worker in pool._workers]
    return {worker._process.pid or 0 for worker in workers if worker._process is not None}


def lent_templates() -> set[int]:
    """The pids of what those are copies of."""
    starters = [pool._starter for pool in _POOLS.values()]
    return {
        process.pid
        for starter in starters
        if isinstance(starter, Template)
        for process in (starter._process, *starter._retired)
        if process is not None
    }


async def _lent(key: tuple[object, ...], make: Callable[[], WorkerPool[P, A]]) -> WorkerPool[P, A]:
    pool: WorkerPool[P, A] | None = _POOLS.get(key)
    if pool is None:
        pool = make()
        await asyncio.to_thread(pool.start)
        _POOLS[key] = pool
        atexit.register(pool.stop)
    return pool


def _has_files(engine_factory: EngineFactory) -> bool:
    if not isinstance(engine_factory, partial):
        return False
    given = (*engine_factory.args, *engine_factory.keywords.values())
    return any(isinstance(value, Path) for value in given)


def _identity(engine_factory: EngineFactory) -> tuple[object, ...]:
    """What tells apart two factories: partials are equal to nothing but themselves."""
    if isinstance(engine_factory, partial):
        given = sorted(engine_factory.keywords.items())
        return (engine_factory.func, *engine_factory.args, *given)
    return (engine_factory,)
