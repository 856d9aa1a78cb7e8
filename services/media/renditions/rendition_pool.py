"""Worker processes for renditions, with a bounded number of callers waiting for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from libs.common.limits.fair_queue import FairQueue
from libs.common.telemetry.metrics import WORKERS_LOST
from libs.common.workers.errors import WorkerCrashed, WorkerTimedOut
from libs.common.workers.imported import Imported
from libs.common.workers.pool import PoolMetrics, WorkerPool
from libs.common.workers.privileges import WithoutRoot
from services.media.metrics import RENDITIONS_IN_HAND, WORKERS, WORKERS_BUSY
from services.media.renditions.decoding import CannotDecode, Make

#: The module that a worker process imports: the decoders are there, and not in the service.
WORKER = "services.media.renditions.rendition_worker"
RETRY_AFTER_SECONDS = 2
#: Whoever asks has given up by then.
PATIENCE_SECONDS = 60.0
#: Those whose photos are fetched while the workers have others: a store may take 2 s for one.
AHEAD = 8
#: A worker is replaced after so many pictures: what a decoder leaks stays small.
TASKS_PER_WORKER = 2000


class GivenUp(CannotDecode):
    """The worker was too slow, or died: a busy machine may be to blame, and not the picture."""


class RenditionPool:
    """Runs `rendition_worker.render` in processes that start with the first rendition."""

    def __init__(
        self, *, workers: int, queue_limit: int, timeout_seconds: float, max_pixels: int
    ) -> None:
        at_once = min(workers + AHEAD, workers + queue_limit)
        self._line = FairQueue(
            at_once=at_once,
            max_waiting=workers + queue_limit - at_once,
            refusal="Too many pictures are being prepared.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
            patience_seconds=PATIENCE_SECONDS,
        )
        self._max_pixels = max_pixels
        self._pool = WorkerPool(
            workers,
            WithoutRoot(Imported[[], Make](WORKER, "prepared")),
            name="rendition worker",
            timeout_seconds=timeout_seconds,
            max_tasks=TASKS_PER_WORKER,
            is_lazy=True,
            probe=Imported[[Make], None](WORKER, "do_known_good"),
            metrics=PoolMetrics(WORKERS, WORKERS_BUSY, WORKERS_LOST),
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.__aexit__()

    @asynccontextmanager
    async def turn(self, kind: str) -> AsyncIterator[None]:
        """Be one of those who fetch a photo, or have it and wait for a worker, or have one.

        Until then one holds nothing that others wait for: no connection, no file, no room. The
        kinds of renditions take turns, so that no page waits behind 200 previews. Raises
        Unavailable when too many wait.
        """
        with RENDITIONS_IN_HAND.track_inprogress():
            async with self._line.turn(kind):
                yield

    async def render(self, source: Path, longest_side_px: int) -> bytes:
        """Return the rendition as WebP, once a worker is free; call it in a `turn`.

        Raises CannotDecode (GivenUp where it may be the machine's fault), and Unavailable, which
        says nothing of the picture.
        """
        return await self._made(source, longest_side_px)

    async def copy_for_guests(self, source: Path) -> bytes:
        """Return the pieces of the photo that are for guests, or a JPEG; else as `render`."""
        return await self._made(source, None)

    async def _made(self, source: Path, longest_side_px: int | None) -> bytes:
        try:
            return await self._pool.run(str(source), longest_side_px, self._max_pixels)
        except WorkerTimedOut as error:
            raise GivenUp("it takes too long to decode") from error
        except WorkerCrashed as error:
            raise GivenUp("it breaks the decoder") from error
