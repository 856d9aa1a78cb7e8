"""Opens the face index that the settings name, and what runs beside it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial

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


@asynccontextmanager
async def open_index(
    settings: RecognitionSettings, database: Database, pool: EnginePool
) -> AsyncIterator[FaceIndex]:
    """Yield the index; `pool` runs the engine that is ours."""
    if settings.face_recognizer_provider == "rekognition":
        async with _rekognition_index(settings, database) as index:
            yield index
    else:
        async with _erasing_what_is_left(settings, database):
            yield EmbeddedIndex(
                database,
                pool,
                PROFILES[settings.face_recognizer_provider],
                photos_at_once=settings.photo_queue_workers,
            )


def local_engine(settings: RecognitionSettings) -> str:
    """Return the engine that runs here; beside a paid one it judges selfies before they count."""
    provider = settings.face_recognizer_provider
    return EMBEDDED.name if provider == "rekognition" else provider


def local_workers(settings: RecognitionSettings) -> int:
    """Return how many workers run it."""
    return 1 if settings.face_recognizer_provider == "rekognition" else settings.photo_queue_workers


@asynccontextmanager
async def _rekognition_index(
    settings: RecognitionSettings, database: Database
) -> AsyncIterator[RekognitionIndex]:
    """Yield the index; deleted faces are erased and calls counted as long as it is open."""
    async with (
        WorkerPool(
            settings.photo_queue_workers,
            partial(ImagePreparer, pixel_limit=settings.pixel_limit),
            name=workers.NAME,
            timeout_seconds=settings.analyze_timeout_seconds,
            metrics=workers.METRICS,
        ) as images,
        _connected(settings, database) as (rekognition, collections),
        _running(keep_erasing(database, rekognition, collections)),
    ):
        yield RekognitionIndex(database, rekognition, collections, images)


@asynccontextmanager
async def _erasing_what_is_left(
    settings: RecognitionSettings, database: Database
) -> AsyncIterator[None]:
    """Erase what Rekognition has, for the length of the block in which another engine works."""
    connect = partial(_connected, settings, database)
    async with _running(keep_erasing_what_is_left(database, connect)):
        yield


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


@asynccontextmanager
async def _running(erasing: Coroutine[object, object, None]) -> AsyncIterator[None]:
    eraser = asyncio.create_task(erasing, name="erase external faces")
    try:
        yield
    finally:
        eraser.cancel()
        with suppress(asyncio.CancelledError):
            await eraser
