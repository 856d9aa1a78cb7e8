"""Opens the face index that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.common.database.database import Database
from services.recognition.engine.profiles import EMBEDDED, PROFILES
from services.recognition.engine.workers import EnginePool
from services.recognition.indexes.embedded.index import EmbeddedIndex
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.indexes.rekognition.open import (
    erasing_what_is_left,
    open_rekognition_index,
)
from services.recognition.settings import RecognitionSettings


@asynccontextmanager
async def open_index(
    settings: RecognitionSettings, database: Database, pool: EnginePool
) -> AsyncIterator[FaceIndex]:
    """Yield the index; `pool` runs the engine that is ours."""
    if settings.face_recognizer_provider == "rekognition":
        async with open_rekognition_index(settings, database) as index:
            yield index
    else:
        async with erasing_what_is_left(settings, database):
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
