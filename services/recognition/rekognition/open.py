"""Opens the index that Rekognition keeps, and what runs beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from libs.common.database import Database
from services.recognition.engine.workers import WorkerPool
from services.recognition.rekognition.collections import Collections
from services.recognition.rekognition.erase import keep_erasing
from services.recognition.rekognition.image import ImagePreparer
from services.recognition.rekognition.index import RekognitionIndex
from services.recognition.rekognition.service import open_rekognition
from services.recognition.rekognition.usage import counting
from services.recognition.settings import RecognitionSettings


@asynccontextmanager
async def open_rekognition_index(
    settings: RecognitionSettings, database: Database
) -> AsyncIterator[RekognitionIndex]:
    """Yield the index; deleted faces are erased and calls counted as long as it is open."""
    async with (
        WorkerPool(
            settings.photo_queue_workers,
            timeout_seconds=settings.analyze_timeout_seconds,
            engine_factory=partial(ImagePreparer, pixel_limit=settings.pixel_limit),
        ) as images,
        counting(database, price_per_call=settings.aws_price_per_call) as usage,
        open_rekognition(
            usage,
            region=settings.rekognition_region or settings.aws_region,
            endpoint_url=settings.rekognition_endpoint_url,
            calls_at_once=settings.aws_concurrent_requests,
        ) as rekognition,
    ):
        collections = Collections(
            database, rekognition, prefix=settings.aws_rekognition_collection_prefix
        )
        eraser = asyncio.create_task(
            keep_erasing(database, rekognition, collections), name="erase external faces"
        )
        try:
            yield RekognitionIndex(database, rekognition, collections, images)
        finally:
            eraser.cancel()
            with suppress(asyncio.CancelledError):
                await eraser
