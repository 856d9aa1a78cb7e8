"""Opens the face index that the settings name, and what runs beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from libs.common.background import BackgroundTasks
from libs.common.database.database import Database
from libs.common.workers.pool import WorkerPool
from services.recognition.engine import workers
from services.recognition.engine.profiles import EMBEDDED, PROFILES
from services.recognition.engine.workers import EnginePool
from services.recognition.indexes.embedded.index import EmbeddedIndex
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.indexes.rekognition.client import Rekognition, open_rekognition
from services.recognition.indexes.rekognition.collections import Collections
from services.recognition.indexes.rekognition.erase import keep_erasing, keep_erasing_what_is_left
from services.recognition.indexes.rekognition.image import ImagePreparer
from services.recognition.indexes.rekognition.index import RekognitionIndex
from services.recognition.indexes.rekognition.usage import counting
from services.recognition.settings import RecognitionSettings

#: The name of the background task.
ERASING = "erase external faces"


@asynccontextmanager
async def open_index(
    settings: RecognitionSettings,
    database: Database,
    pool: EnginePool,
    background: BackgroundTasks,
) -> AsyncIterator[FaceIndex]:
    """Yield the index; `pool` runs the engine that is ours.

    What Rekognition has, and should not have any more, is erased in the background.
    """
    if settings.face_recognizer_provider == "rekognition":
        async with _rekognition_index(settings, database, background) as index:
            yield index
    else:
        connect = partial(_connected, settings, database)
        background.start(ERASING, partial(keep_erasing_what_is_left, database, connect))
        embedded = EmbeddedIndex(
            database,
            pool,
            PROFILES[settings.face_recognizer_provider],
            photos_at_once=settings.photo_queue_workers,
        )
        try:
            yield embedded
        finally:
            embedded.close()


def local_engine(settings: RecognitionSettings) -> str:
    """Return the engine that runs here; beside a paid one it judges selfies before they count."""
    provider = settings.face_recognizer_provider
    return EMBEDDED.name if provider == "rekognition" else provider


def local_workers(settings: RecognitionSettings) -> int:
    """Return how many workers run it."""
    return 1 if settings.face_recognizer_provider == "rekognition" else settings.photo_queue_workers


@asynccontextmanager
async def _rekognition_index(
    settings: RecognitionSettings, database: Database, background: BackgroundTasks
) -> AsyncIterator[RekognitionIndex]:
    """Yield the index; calls are counted as long as it is open."""
    async with (
        WorkerPool(
            settings.photo_queue_workers,
            partial(ImagePreparer, pixel_limit=settings.pixel_limit),
            name=workers.NAME,
            timeout_seconds=settings.analyze_timeout_seconds,
            probe=workers.do_known_good,
            metrics=workers.METRICS,
        ) as images,
        _connected(settings, database) as (rekognition, collections),
    ):
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
