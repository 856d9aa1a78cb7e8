"""How far the process's connection pools are used, read as Prometheus asks."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import QueuePool

from libs.common.telemetry import metrics

#: Open pools, and the most connections each may have.
_pools: dict[QueuePool, int] = {}

metrics.POOL_IN_USE.set_function(lambda: sum(pool.checkedout() for pool in list(_pools)))
metrics.POOL_IDLE.set_function(lambda: sum(pool.checkedin() for pool in list(_pools)))
metrics.POOL_LIMIT.set_function(lambda: sum(list(_pools.values())))


@contextmanager
def watching(pool: object, *, limit: int) -> Iterator[None]:
    """Count a pool for the length of the block."""
    if not isinstance(pool, QueuePool):
        yield
        return
    _pools[pool] = limit
    try:
        yield
    finally:
        del _pools[pool]
