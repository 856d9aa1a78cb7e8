"""Worker processes for renditions, with a bounded number of callers waiting for them."""

import asyncio
import functools
import multiprocessing
from collections.abc import AsyncIterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import pebble
import structlog

from libs.common.errors import Unavailable
from services.media.metrics import RENDITIONS_IN_HAND
from services.media.renditions import rendition_worker
from services.media.renditions.rendition_worker import CannotDecode

#: Renditions give way to all else on the machine.
NICENESS = 10
RETRY_AFTER_SECONDS = 2
#: A worker is replaced after so many pictures: what a decoder leaks stays small.
TASKS_PER_WORKER = 2000
#: A crash may be the machine's (out of memory) and not the picture's: tried once more.
ATTEMPTS = 2
STOP_SECONDS = 10

log = structlog.get_logger(__name__)


class RenditionPool:
    """Runs `rendition_worker.render` in processes that start with the first rendition."""

    def __init__(
        self, *, workers: int, queue_limit: int, timeout_seconds: float, max_pixels: int
    ) -> None:
        self._workers = workers
        self._limit = workers + queue_limit
        self._timeout_seconds = timeout_seconds
        self._max_pixels = max_pixels
        self._in_hand = 0
        self._working = asyncio.Semaphore(workers)
        self._pool = self._new_pool()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(_end, self._pool)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a free worker. Raises Unavailable at once when too many wait already."""
        if self._in_hand >= self._limit:
            message = "Too many pictures are being prepared. Try again in a moment."
            raise Unavailable(message, retry_after_seconds=RETRY_AFTER_SECONDS)
        self._in_hand += 1
        RENDITIONS_IN_HAND.inc()
        try:
            async with self._working:
                yield
        finally:
            self._in_hand -= 1
            RENDITIONS_IN_HAND.dec()

    async def render(self, source: Path, longest_side_px: int) -> bytes:
        """Return the rendition as WebP; call it in a `turn`. Raises CannotDecode."""
        work = functools.partial(
            rendition_worker.render, str(source), longest_side_px, self._max_pixels
        )
        for _ in range(ATTEMPTS):
            pool = self._pool
            try:
                return await asyncio.wrap_future(pool.schedule(work, timeout=self._timeout_seconds))
            except TimeoutError as error:
                raise CannotDecode("it takes too long to decode") from error
            except pebble.ProcessExpired:
                continue
            except (BrokenProcessPool, RuntimeError):
                # A worker killed while idle (out of memory elsewhere) breaks all of its pool.
                await self._replace(pool)
        raise CannotDecode("it breaks the decoder")

    def _new_pool(self) -> pebble.ProcessPool:
        return pebble.ProcessPool(
            max_workers=self._workers,
            max_tasks=TASKS_PER_WORKER,
            initializer=rendition_worker.prepare,
            initargs=(NICENESS,),
            # Not forked: the parent has threads, and libvips has state, that do not survive it.
            context=multiprocessing.get_context("spawn"),
        )

    async def _replace(self, broken: pebble.ProcessPool) -> None:
        if self._pool is broken:  # else another caller has been here
            self._pool = self._new_pool()
            log.warning("rendition_pool_replaced")
            await asyncio.to_thread(_end, broken)


def _end(pool: pebble.ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]  # pebble forgot this one annotation
    pool.join(STOP_SECONDS)
