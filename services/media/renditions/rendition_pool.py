"""Worker processes for renditions, with a bounded number of callers waiting for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from libs.common.errors import Unavailable
from libs.common.telemetry.metrics import WORKERS_LOST
from libs.common.workers.pool import PoolMetrics, WorkerPool
from libs.common.workers.process import WorkerCrashed, WorkerTimedOut
from services.media.metrics import RENDITIONS_IN_HAND, WORKERS, WORKERS_BUSY
from services.media.renditions import rendition_worker
from services.media.renditions.rendition_worker import CannotDecode

RETRY_AFTER_SECONDS = 2
#: A worker is replaced after so many pictures: what a decoder leaks stays small.
TASKS_PER_WORKER = 2000


class GivenUp(CannotDecode):
    """The worker was too slow, or died: a busy machine may be to blame, and not the picture."""


class RenditionPool:
    """Runs `rendition_worker.render` in processes that start with the first rendition."""

    def __init__(
        self, *, workers: int, queue_limit: int, timeout_seconds: float, max_pixels: int
    ) -> None:
        self._limit = workers + queue_limit
        self._max_pixels = max_pixels
        self._in_hand = 0
        self._pool = WorkerPool(
            workers,
            rendition_worker.prepared,
            name="rendition worker",
            timeout_seconds=timeout_seconds,
            max_tasks=TASKS_PER_WORKER,
            is_lazy=True,
            probe=rendition_worker.do_known_good,
            metrics=PoolMetrics(WORKERS, WORKERS_BUSY, WORKERS_LOST),
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.__aexit__()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Be one of those who fetch a photo, wait for a worker, or have one.

        Raises Unavailable when there are too many.
        """
        if self._in_hand >= self._limit:
            message = "Too many pictures are being prepared. Try again in a moment."
            raise Unavailable(message, retry_after_seconds=RETRY_AFTER_SECONDS)
        self._in_hand += 1
        RENDITIONS_IN_HAND.inc()
        try:
            yield
        finally:
            self._in_hand -= 1
            RENDITIONS_IN_HAND.dec()

    async def render(self, source: Path, longest_side_px: int) -> bytes:
        """Return the rendition as WebP, once a worker is free; call it in a `place`.

        Raises CannotDecode (GivenUp where it may be the machine's fault), and Unavailable, which
        says nothing of the picture.
        """
        try:
            return await self._pool.run(str(source), longest_side_px, self._max_pixels)
        except WorkerTimedOut as error:
            raise GivenUp("it takes too long to decode") from error
        except WorkerCrashed as error:
            raise GivenUp("it breaks the decoder") from error
