"""Find the faces of an uploaded photo and commit them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from libs.common.database.database import Database
from libs.common.errors import PermanentError, Unavailable
from libs.common.messaging.messages import PhotoAnalyzed, PhotoFailed, PhotoUploaded
from libs.common.storage.keys import photo_key
from libs.common.storage.protocol import ObjectNotFound, ObjectStore
from libs.common.telemetry import tracing
from libs.common.workers.process import WorkerCrashed, WorkerTimedOut
from services.recognition import metrics
from services.recognition.erasure import removals
from services.recognition.indexes.face_index import FaceIndex, IndexedPhoto, PhotoKey
from services.recognition.matching.finish import finish_photos
from services.recognition.photos import repository
from services.recognition.photos.analysis_slots import AnalysisSlots
from services.recognition.photos.repository import PhotoRow

log = structlog.get_logger(__name__)

#: A photo that kills its worker is tried once more, in case the machine was to blame.
MAX_CRASHES = 2
#: Analyses that ended with their whole process before the photo is given up. The broker counts
#: each of them against the photos in hand beside it, too, and gives those up after more.
MAX_LOST_ANALYSES = 3
LOST_REASON = (
    "The photo cannot be processed: the service broke down every time it tried."
    " Upload it again, or ask an administrator to try once more."
)


@dataclass(frozen=True, slots=True)
class Analyzer:
    """The collaborators of the use case; `slots` bounds the photos in work at once."""

    database: Database
    store: ObjectStore
    index: FaceIndex
    slots: AnalysisSlots


async def analyze_photo(
    message: PhotoUploaded,
    *,
    attempt: int,
    last_attempt: bool,
    is_repeat: bool,
    using: Analyzer,
) -> None:
    """Analyse a queued photo; one that is analysed, failed or deleted is left alone.

    So is one of another engine, unless the message asks for ours to analyse it again.
    `is_repeat`: an earlier attempt may have come far, and died without a word.
    Raises PermanentError after recording that a photo killed its workers, so that its
    message is kept for the operators; other errors that may pass are the caller's to retry.
    """
    tracing.set_attributes(
        event_id=message.event_id, photo_id=message.photo_id, engine=using.index.name
    )
    async with using.database.read() as connection:
        photo = await repository.find_photo(connection, message.photo_id)
    if photo is None or not _is_wanted(photo, message, using.index.name):
        return
    if photo.lost_analyses >= MAX_LOST_ANALYSES:
        await _fail(photo, LOST_REASON, using)
        msg = f"photo {photo.id} ended its process {photo.lost_analyses} times"
        raise PermanentError(msg)
    try:
        analysis = await _analyze(photo, using)
    except ObjectNotFound:
        await _fail(photo, "The photo's file is missing from the store. Upload it again.", using)
        return
    except PermanentError as error:
        await _fail(photo, str(error), using)
        return
    except (WorkerCrashed, WorkerTimedOut) as error:
        if attempt < MAX_CRASHES:
            raise
        await _fail(photo, f"The photo cannot be processed: {error}", using)
        msg = f"photo {photo.id} failed {attempt} times in a worker: {error}"
        raise PermanentError(msg) from error
    except Unavailable:
        raise
    except Exception as error:
        if last_attempt:
            await _fail(photo, f"The analysis failed repeatedly: {error}", using)
        raise
    await _save(photo, analysis, using, is_repeat=is_repeat or photo.lost_analyses > 0)


def _is_wanted(photo: PhotoRow, message: PhotoUploaded, engine: str) -> bool:
    if photo.status == "queued":
        return True
    return message.reindex_for == engine and photo.is_of_another(engine)


async def _analyze(photo: PhotoRow, using: Analyzer) -> IndexedPhoto:
    # One whose analysis was lost before may take the process with it again: then alone.
    async with using.slots.all() if photo.lost_analyses else using.slots.one():
        started = time.perf_counter()
        async with (
            using.store.local_file(photo_key(photo.event_id, photo.filename)) as path,
            _lost_if_it_never_ends(photo, using.database),
        ):
            with tracing.detail("analyze"):
                analysis = await using.index.index_photo(PhotoKey(photo.event_id, photo.id), path)
    metrics.ANALYZE_SECONDS.observe(time.perf_counter() - started)
    metrics.FACES_PER_PHOTO.observe(len(analysis.faces))
    tracing.set_attributes(faces=len(analysis.faces))
    return analysis


@asynccontextmanager
async def _lost_if_it_never_ends(photo: PhotoRow, database: Database) -> AsyncIterator[None]:
    async with database.unit_of_work() as unit:
        await repository.begin_analysis(unit.connection, photo.id)
    try:
        yield
    finally:
        # Also for a shutdown that cancels it: that is no fault of the photo's.
        await asyncio.shield(_end_analysis(photo, database))


async def _end_analysis(photo: PhotoRow, database: Database) -> None:
    async with database.unit_of_work() as unit:
        await repository.end_analysis(unit.connection, photo.id)


async def _save(
    photo: PhotoRow, analysis: IndexedPhoto, using: Analyzer, *, is_repeat: bool
) -> None:
    keys = [face.key for face in analysis.faces]
    async with using.database.unit_of_work() as unit:
        if not await repository.save_analysis(
            unit.connection, photo, analysis, engine=using.index.name
        ):
            await removals.add(unit.connection, photo.event_id, keys)
            return
        if analysis.faces:
            unit.publish(PhotoAnalyzed(event_id=photo.event_id, photo_id=photo.id))
        else:
            await finish_photos([photo], unit=unit)
    await using.index.tidy(PhotoKey(photo.event_id, photo.id), keys, is_repeat=is_repeat)
    metrics.PHOTOS.labels("analyzed").inc()


async def _fail(photo: PhotoRow, reason: str, using: Analyzer) -> None:
    if photo.status != "queued":
        await _keep(photo, reason, using)
        return
    async with using.database.unit_of_work() as unit:
        if await repository.mark_photo_failed(unit.connection, photo.id, reason):
            unit.publish(PhotoFailed(event_id=photo.event_id, photo_id=photo.id, reason=reason))
    metrics.PHOTOS.labels("failed").inc()
    tracing.set_attributes(outcome="failed")
    log.warning("photo_failed", photo_id=photo.id, event_id=photo.event_id, reason=reason)


async def _keep(photo: PhotoRow, reason: str, using: Analyzer) -> None:
    """A photo that guests have does not become a failed one by a change of the engine."""
    async with using.database.unit_of_work() as unit:
        await repository.keep_analysis(unit.connection, photo, engine=using.index.name)
    metrics.PHOTOS.labels("kept").inc()
    tracing.set_attributes(outcome="kept")
    log.warning("photo_not_reindexed", photo_id=photo.id, event_id=photo.event_id, reason=reason)
