"""Opens the face index that the settings name, and what runs beside it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from libs.common.background import BackgroundTasks
from libs.common.database.database import Database
from libs.common.workers.imported import Imported
from libs.common.workers.pool import WorkerPool
from libs.common.workers.privileges import WithoutRoot
from services.recognition.engine.face_engine import (
    PROFILES,
    EngineFactory,
    Purpose,
    do_known_good,
)
from services.recognition.engine.workers import (
    SHARES,
    WORKER_METRICS,
    WORKER_NAME,
    EnginePool,
    engine_pool,
)
from services.recognition.indexes.embedded.index import EmbeddedIndex
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.indexes.rekognition.client import Rekognition, open_rekognition
from services.recognition.indexes.rekognition.collections import Collections
from services.recognition.indexes.rekognition.erase import keep_erasing, keep_erasing_what_is_left
from services.recognition.indexes.rekognition.index import ImagePool, RekognitionIndex
from services.recognition.indexes.rekognition.prepared_image import PreparedImage
from services.recognition.indexes.rekognition.usage import counting
from services.recognition.settings import RecognitionSettings

#: The name of the background task.
ERASING = "erase external faces"


@dataclass(frozen=True, slots=True)
class WorkerPools:
    """The worker processes of the service."""

    #: They run the engine that is ours.
    engine: EnginePool
    #: They prepare images for Rekognition, where that is used.
    images: ImagePool | None


@asynccontextmanager
async def open_worker_pools(
    settings: RecognitionSettings, engine_factory: EngineFactory
) -> AsyncIterator[WorkerPools]:
    """Start the workers that the settings ask for."""
    pool = engine_pool(
        local_workers(settings), engine_factory, timeout_seconds=settings.analyze_timeout_seconds
    )
    async with pool as engine:
        if settings.face_recognizer_provider != "rekognition":
            yield WorkerPools(engine, images=None)
            return
        async with image_pool(settings) as images:
            yield WorkerPools(engine, images)


@asynccontextmanager
async def open_index(
    settings: RecognitionSettings,
    database: Database,
    pools: WorkerPools,
    background: BackgroundTasks,
) -> AsyncIterator[FaceIndex]:
    """Yield the index, whose work is done by these pools.

    What Rekognition has, and should not have any more, is erased in the background.
    """
    if pools.images is not None:
        async with _rekognition_index(settings, database, pools.images, background) as index:
            yield index
    else:
        connect = partial(_connected, settings, database)
        background.start(ERASING, partial(keep_erasing_what_is_left, database, connect))
        embedded = EmbeddedIndex(
            database,
            pools.engine,
            PROFILES[settings.face_recognizer_provider],
            photos_at_once=settings.photo_queue_workers,
        )
        try:
            yield embedded
        finally:
            embedded.close()


def local_provider(settings: RecognitionSettings) -> str:
    """Return whose engine runs here; beside a paid one it judges selfies before they count."""
    provider = settings.face_recognizer_provider
    return "embedded" if provider == "rekognition" else provider


def local_workers(settings: RecognitionSettings) -> int:
    """Return how many workers run it."""
    return 1 if settings.face_recognizer_provider == "rekognition" else settings.photo_queue_workers


def image_pool(settings: RecognitionSettings) -> ImagePool:
    """Workers that prepare images for Rekognition."""
    preparer = Imported[..., Callable[[Path, Purpose], PreparedImage]](
        "services.recognition.indexes.rekognition.image", "ImagePreparer"
    )
    return WorkerPool(
        settings.photo_queue_workers,
        WithoutRoot(partial(preparer, pixel_limit=settings.pixel_limit)),
        name=WORKER_NAME,
        timeout_seconds=settings.analyze_timeout_seconds,
        probe=do_known_good,
        metrics=WORKER_METRICS,
        shares=SHARES,
    )


@asynccontextmanager
async def _rekognition_index(
    settings: RecognitionSettings,
    database: Database,
    images: ImagePool,
    background: BackgroundTasks,
) -> AsyncIterator[RekognitionIndex]:
    """Yield the index; calls are counted as long as it is open."""
    async with _connected(settings, database) as (rekognition, collections):
        background.start(ERASING, partial(keep_erasing, database, rekognition, collections))
        yield RekognitionIndex(database, rekognition, collections, images)


@asynccontextmanager
async def _connected(
    settings: RecognitionSettings, database: Database
) -> AsyncIterator[tuple[Rekognition, Collections]]:
    async with (
        counting(database, price_per_call=settings.aws_price_per_call) as usage,
        open_rekognition(
            usage,
            region=settings.rekognition_region or settings.aws_region,
            endpoint_url=settings.rekognition_endpoint_url,
            calls_at_once=settings.aws_concurrent_requests,
        ) as rekognition,
    ):
        prefix = settings.aws_rekognition_collection_prefix
        yield rekognition, Collections(database, rekognition, prefix=prefix)
