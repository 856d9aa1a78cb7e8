"""Engine workers that outlive a test: to start two takes longer than most tests do."""

import asyncio
import atexit
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from services.recognition.engine.face_engine import EngineFactory, EnginePool, engine_pool
from services.recognition.indexes.open import local_workers
from services.recognition.settings import RecognitionSettings

_POOLS: dict[tuple[object, ...], EnginePool] = {}


@asynccontextmanager
async def lent_pool(
    engine_factory: EngineFactory, settings: RecognitionSettings
) -> AsyncIterator[EnginePool]:
    """Yield so many workers with the engine as the settings ask for, one test after the other.

    A worker that a test kills is started anew by whoever needs it next. An engine that is given
    files of its test gets workers of its own.
    """
    if isinstance(engine_factory, partial) and engine_factory.args:
        async with engine_pool(local_workers(settings), engine_factory) as own:
            yield own
        return
    key = (local_workers(settings), *_identity(engine_factory))
    pool = _POOLS.get(key)
    if pool is None:
        pool = engine_pool(local_workers(settings), engine_factory)
        await asyncio.to_thread(pool.start)
        _POOLS[key] = pool
        atexit.register(pool.stop)
    yield pool


def lent_processes() -> set[int]:
    """The pids of the workers that outlive the test."""
    workers = [worker for pool in _POOLS.values() for worker in pool._workers]
    return {worker._process.pid or 0 for worker in workers if worker._process is not None}


def _identity(engine_factory: EngineFactory) -> tuple[object, ...]:
    """What tells apart two factories: partials are equal to nothing but themselves."""
    if isinstance(engine_factory, partial):
        return (engine_factory.func, *sorted(engine_factory.keywords.items()))
    return (engine_factory,)
