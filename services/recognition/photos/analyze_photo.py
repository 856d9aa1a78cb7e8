"""Find the faces of an uploaded photo and commit them."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import structlog

from libs.common.database.database import Database
from libs.common.database.sqlstates import is_away, is_conflict
from libs.common.database.transactions import TransactionConflict
from libs.common.errors import PermanentError, Unavailable
from libs.common.exhaustion import lacks
from libs.common.messaging.messages import PhotoAnalyzed, PhotoFailed, PhotoUploaded
from libs.common.storage.fetches import Fetches
from libs.common.storage.keys import photo_key
from libs.common.storage.protocol import ObjectNotFound
from libs.common.storage.whole_file import NotAsUploaded
from libs.common.telemetry import tracing
from libs.common.workers.errors import WorkerCrashed, WorkerTimedOut
from libs.common.workers.trial import WorkerOverwhelmed
from services.recognition import metrics
from services.recognition.erasure import repository as removals
from services.recognition.indexes.face_index import FaceIndex, IndexedPhoto, PhotoKey
from services.recognition.matching.match import FinishedPhotos, finish_photos
from services.recognition.photos import repository
from services.recognition.photos.claims import AnalysisClaims, AnalysisSlots, Holder
from services.recognition.photos.repository import PhotoRow
from services.recognition.photos.thumbnails import Thumbnails

log = structlog.get_logger(__name__)

#: A photo that takes too long is tried once more, in case the machine was to blame.
MAX_TIMEOUTS = 2
#: A photo is given up after so many analyses in which the whole process died, or all workers
#: that had it (see `tried`). The broker counts
#: such a death against every photo that the process had in hand. It must give up later than this,
#: or it would give up the innocent ones, too.
MAX_LOST_ANALYSES = 3
#: So many leases of a replica a photo in other hands is waited for; a dead one is found by then.
PATIENCE_LEASES = 1.5
LOOK_AGAIN_SECONDS = 0.5
LOST_REASON = (
    "The photo cannot be processed: the service broke down every time it tried."
    " Upload it again, or ask an administrator to try once more."
)


#: The error itself is in the log and with the dead letter: it is not for photographers.
REPEATED_REASON = (
    "The photo could not be processed, in several attempts."
    " Upload it again, or ask an administrator to try once more."
)
NOT_AS_UPLOADED_REASON = "The photo's file in the store is not what was uploaded. Upload it again."


@dataclass(frozen=True, slots=True)
class Analyzer:
    """The collaborators of the use case.

    `fetches` bound the photos that wait for work, as files, `slots` those in work at once here;
    `claims` tell other replicas of the latter.
    """

    database: Database
    fetches: Fetches
    index: FaceIndex
    slots: AnalysisSlots
    claims: AnalysisClaims
    thumbnails: Thumbnails


async def analyze_photo(
    message: PhotoUploaded,
    *,
    delivery_attempt: int,
    last_attempt: bool,
    is_repeat: bool,
    using: Analyzer,
) -> None:
    """Analyse a queued photo; one that is analysed, failed or deleted is left alone.

    So is one of an event that is over: prolonged, the reconciler brings it back.

    So is one of another engine, unless the message asks for ours to analyse it again.
    `delivery_attempt` numbers the message's deliveries, from 1. `is_repeat`: an earlier one may
    have indexed faces and died before they were committed.
    Raises Unavailable while somebody else has it in hand: they may be dying with it.
    Raises PermanentError after recording that a photo killed its workers, so that its
    message is kept for the operators; other errors that may pass are the caller's to retry.
    """
    tracing.set_attributes(
        event_id=message.event_id, photo_id=message.photo_id, engine=using.index.name
    )
    while (photo := await _next_turn(message, using)) is not None:
        if photo.lost_analyses >= MAX_LOST_ANALYSES:
            await _fail(photo, LOST_REASON, using)
            msg = f"photo {photo.id} ended its process {photo.lost_analyses} times"
            raise PermanentError(msg)
        try:
            if await _analyze(photo, using, is_repeat=is_repeat or photo.lost_analyses > 0):
                return
        except Exception as error:
            if not await _fails(photo, error, delivery_attempt, using, last_attempt=last_attempt):
                raise
            return


async def _next_turn(message: PhotoUploaded, using: Analyzer) -> PhotoRow | None:
    """Return the photo once nobody has it in hand, None when there is nothing to do.

    Whoever has it is waited for: they finish it, or are known to be dead after a while.
    """
    deadline = time.monotonic() + PATIENCE_LEASES * using.claims.replica_lease_seconds
    while True:
        async with using.database.read() as connection:
            photo = await repository.find_photo(connection, message.photo_id)
        if photo is None or photo.is_over or not _is_wanted(photo, message, using.index.name):
            return None
        holder = await using.claims.holder_of(photo)
        if holder is Holder.NOBODY:
            return photo
        if holder is Holder.DEAD:
            return replace(photo, lost_analyses=photo.lost_analyses + 1)
        if time.monotonic() > deadline:
            raise Unavailable(f"photo {photo.id} is being analysed by {photo.claimed_by}")
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


def _is_wanted(photo: PhotoRow, message: PhotoUploaded, engine: str) -> bool:
    if photo.status == "queued":
        return True
    return message.reindex_for == engine and photo.is_of_another(engine)


async def _analyze(photo: PhotoRow, using: Analyzer, *, is_repeat: bool) -> bool:
    """Find the faces and commit them; False when the photo was claimed while a slot was waited for.

    A slot is taken once the photo is here, and free before the commit, so that no worker waits
    for the store or the database.
    """
    async with AsyncExitStack() as until_saved:
        async with (
            using.fetches.whole_file(
                photo_key(photo.event_id, photo.filename), photo.content
            ) as path,
            # One whose analysis was lost before may take the process with it again: then alone.
            using.slots.all() if photo.lost_analyses else using.slots.one(photo.event_id, photo.id),
        ):
            if not await until_saved.enter_async_context(using.claims.taken(photo)):
                return False
            started = time.perf_counter()
            with tracing.detail("analyze"):
                key = PhotoKey(photo.event_id, photo.id)
                analysis = await using.index.index_photo(key, path)
            metrics.ANALYZE_SECONDS.observe(time.perf_counter() - started)
        metrics.FACES_PER_PHOTO.observe(len(analysis.faces))
        tracing.set_attributes(faces=len(analysis.faces))
        await _save(photo, analysis, using, is_repeat=is_repeat)
    return True


async def _fails(
    photo: PhotoRow,
    error: Exception,
    delivery_attempt: int,
    using: Analyzer,
    *,
    last_attempt: bool,
) -> bool:
    """Record that the photo cannot be analysed; False when a further attempt may do it.

    Raises PermanentError where the message is to be kept for the operators.
    """
    match error:
        case ObjectNotFound():
            await _fail(
                photo, "The photo's file is missing from the store. Upload it again.", using
            )
            return True
        # Mended meanwhile, or by an operator, its message brings it home (by a replay, which
        # undoes this): it is kept.
        case NotAsUploaded() if last_attempt:
            await _fail(photo, NOT_AS_UPLOADED_REASON, using)
            return False
        case PermanentError():
            await _fail(photo, str(error), using)
            return True
        case WorkerTimedOut() if delivery_attempt < MAX_TIMEOUTS:
            return False
        case WorkerCrashed() | WorkerTimedOut():
            await _fail(photo, f"The photo cannot be processed: {error}", using)
            msg = f"photo {photo.id} failed in its workers: {error}"
            raise PermanentError(msg) from error
        case WorkerOverwhelmed():
            # Alone from now on, and given up as one that takes whole processes along.
            async for attempt in using.database.attempts():
                async with attempt as unit:
                    await repository.count_lost(unit.connection, photo.id)
            return False
        # What passes by itself is no fault of the photo's; other errors would come back for ever.
        case _ if last_attempt and not _passes(error):
            await _fail(photo, REPEATED_REASON, using)
    return False


def _passes(error: Exception) -> bool:
    return (
        isinstance(error, (Unavailable, TransactionConflict))
        or lacks(error) is not None
        or is_away(error)
        or is_conflict(error)
    )


async def _save(
    photo: PhotoRow, analysis: IndexedPhoto, using: Analyzer, *, is_repeat: bool
) -> None:
    # Before the commit, as in media: a photo that is deleted later takes its thumbnail along.
    await using.thumbnails.keep(photo, analysis.thumbnail)
    try:
        is_saved = await _commit(photo, analysis, using)
        is_gone = not is_saved and await _is_gone(photo, using)
    except BaseException:
        await asyncio.shield(using.thumbnails.drop(photo))
        raise
    if is_saved:
        keys = [face.key for face in analysis.faces]
        await using.index.remove_leftovers(
            PhotoKey(photo.event_id, photo.id), keys, is_repeat=is_repeat
        )
        metrics.PHOTOS.labels("analyzed").inc()
    elif is_gone:
        await using.thumbnails.drop(photo)


async def _commit(photo: PhotoRow, analysis: IndexedPhoto, using: Analyzer) -> bool:
    """Return whether the faces are saved; False where somebody else was first, or it is gone."""
    keys = [face.key for face in analysis.faces]
    is_saved = False
    finished = FinishedPhotos()
    async for attempt in using.database.attempts():
        async with attempt as unit:
            is_saved = await repository.save_analysis(
                unit.connection, photo, analysis, engine=using.index.name
            )
            if not is_saved:
                await removals.add(unit.connection, photo.event_id, keys)
                await repository.give_back(
                    unit.connection, [photo.id], claimant=using.claims.claimant
                )
            elif analysis.faces:
                unit.publish(PhotoAnalyzed(event_id=photo.event_id, photo_id=photo.id))
            else:
                finished = await finish_photos([photo], unit=unit)
    finished.count()
    return is_saved


async def _is_gone(photo: PhotoRow, using: Analyzer) -> bool:
    async with using.database.read() as connection:
        return await repository.find_photo(connection, photo.id) is None


async def _fail(photo: PhotoRow, reason: str, using: Analyzer) -> None:
    if photo.status != "queued":
        await _keep_without_embeddings(photo, reason, using)
        return
    is_failed = False
    async for attempt in using.database.attempts():
        async with attempt as unit:
            is_failed = await repository.mark_photo_failed(unit.connection, photo.id, reason)
            if is_failed:
                unit.publish(PhotoFailed(event_id=photo.event_id, photo_id=photo.id, reason=reason))
    if is_failed:
        metrics.PHOTOS.labels("failed").inc()
        tracing.set_attributes(outcome="failed")
        log.warning("photo_failed", photo_id=photo.id, event_id=photo.event_id, reason=reason)


async def _keep_without_embeddings(photo: PhotoRow, reason: str, using: Analyzer) -> None:
    """A photo that guests have does not become a failed one by a change of the engine."""
    async for attempt in using.database.attempts():
        async with attempt as unit:
            await repository.keep_without_embeddings(
                unit.connection, photo, engine=using.index.name
            )
    metrics.PHOTOS.labels("kept").inc()
    tracing.set_attributes(outcome="kept")
    log.warning("photo_not_reindexed", photo_id=photo.id, event_id=photo.event_id, reason=reason)
