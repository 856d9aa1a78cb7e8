"""Renditions on demand: made at the first request, kept in the store, then only read.

Not made at the upload: at the rush the processors belong to recognition, and most previews
of most photos are never opened.
"""

import asyncio
import time
from datetime import datetime, timedelta

import structlog
from pydantic import AwareDatetime, BaseModel, ValidationError

from libs.common.database.database import Database
from libs.common.errors import NotFound, Unavailable
from libs.common.exhaustion import Exhausted
from libs.common.storage.fetches import Fetches
from libs.common.storage.protocol import ObjectInfo, ObjectNotFound, ObjectStore
from libs.common.storage.whole_file import Content, NotAsUploaded
from libs.common.workers.process import WorkerNotStarted, WorkersStopped
from libs.common.workers.strikes import Strikes
from libs.common.workers.trial import WorkerOverwhelmed
from services.media.metrics import RENDITION_SECONDS, RENDITIONS
from services.media.photos import repository
from services.media.photos.media_key import Original, Rendition
from services.media.photos.repository import PhotoRecord
from services.media.renditions.rendition_pool import GivenUp, RenditionPool
from services.media.renditions.rendition_worker import DECODERS, CannotDecode
from services.media.renditions.single_flight import SingleFlight

WEBP = "image/webp"
#: A photo that could not be decoded is not tried again for so long.
REMEMBERED = timedelta(hours=1)
#: Where the machine may have been to blame, it is only so long, and twice as long each time that
#: it happens again: a picture that always takes too long must not keep the workers busy.
GIVEN_UP_FOR = timedelta(minutes=1)
#: Until then the machine is taken to have had a bad moment, and the guest is asked to come back.
OVERWHELMING_TIMES = 3

log = structlog.get_logger(__name__)


class NoRendition(NotFound):
    """The photo is there, but cannot be shown; the message says why."""

    def __init__(self, rendition: Rendition, reason: str) -> None:
        super().__init__("rendition", rendition.key)
        self.reason = reason

    def __str__(self) -> str:
        return f"This photo cannot be shown: {self.reason}."


class Failure(BaseModel):
    """The note beside the renditions that are there: why one could not be made, and by what."""

    reason: str
    decoders: str
    #: By the database's clock, as is what it is compared with: the store has another.
    noted_at: AwareDatetime
    #: How many times the picture was given up; 0 where the decoder itself refuses it.
    times_given_up: int = 0

    @property
    def lasts(self) -> timedelta:
        """How long the picture is not tried again."""
        if self.times_given_up == 0:
            return REMEMBERED
        doublings = min(self.times_given_up - 1, 10)
        return min(REMEMBERED, GIVEN_UP_FOR * (1 << doublings))


class Renditions:
    """Finds or makes the renditions of stored photos."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        fetches: Fetches,
        database: Database,
        pool: RenditionPool,
        flights: SingleFlight[ObjectInfo],
    ) -> None:
        self._store = store
        self._fetches = fetches
        self._database = database
        self._pool = pool
        self._flights = flights
        self._strikes: Strikes[str] = Strikes(OVERWHELMING_TIMES)

    async def ensure(self, rendition: Rendition) -> ObjectInfo:
        """Return the rendition's object, made now if it was not there.

        Raises NotFound without such a photo, NoRendition when it cannot be decoded,
        Unavailable when too many are being made, or none can be.
        """
        try:
            return await self._store.stat(rendition.key)
        except ObjectNotFound:
            return await self._flights.run(rendition.key, lambda: self._make(rendition))

    async def _make(self, rendition: Rendition) -> ObjectInfo:
        outcome = "failed"
        before: Failure | None = None
        started = time.perf_counter()
        try:
            photo = await self._require_photo(rendition.original)
            before = await self._outdated_failure(rendition, now=photo.read_at)
            with self._pool.place():
                info = await self._render(rendition, photo.content)
            outcome = "made"
        except (WorkerNotStarted, WorkersStopped, WorkerOverwhelmed, Exhausted):
            raise
        except Unavailable:
            outcome = "refused"
            raise
        except CannotDecode as error:
            outcome = "undecodable"
            await self._remember(rendition, error, before)
            raise NoRendition(rendition, str(error)) from error
        except NoRendition:
            outcome = "known"
            raise
        except NotFound:
            outcome = "not_found"
            raise
        finally:
            RENDITIONS.labels(rendition.name, outcome).inc()
        RENDITION_SECONDS.labels(rendition.name).observe(time.perf_counter() - started)
        return info

    async def _render(self, rendition: Rendition, content: Content) -> ObjectInfo:
        try:
            async with self._fetches.whole_file(rendition.original.key, content) as source:
                picture = await self._pool.render(source, rendition.longest_side_px)
        except NotAsUploaded as error:
            raise GivenUp("its file is not what was uploaded") from error
        except WorkerOverwhelmed as error:
            if not self._strikes.is_out(rendition.key):
                raise
            raise GivenUp("it takes more memory than there is") from error
        self._strikes.forget(rendition.key)
        await self._keep(rendition.original, rendition.key, picture, content_type=WEBP)
        return await self._store.stat(rendition.key)

    async def _outdated_failure(self, rendition: Rendition, *, now: datetime) -> Failure | None:
        """Return why the photo could not be shown a longer while ago, or by other decoders.

        Raises NoRendition when it was the same decoders, and not long ago.
        """
        try:
            failure = Failure.model_validate_json(await self._store.get(rendition.failure_key))
        except (ObjectNotFound, ValidationError):
            return None
        is_fresh = now - failure.noted_at < failure.lasts
        if is_fresh and failure.decoders == DECODERS:
            raise NoRendition(rendition, failure.reason)
        return failure

    async def _remember(
        self, rendition: Rendition, error: CannotDecode, before: Failure | None
    ) -> None:
        """Leave a note of the failure, if that is possible: it only saves work."""
        times = (before.times_given_up if before else 0) + 1 if isinstance(error, GivenUp) else 0
        try:
            photo = await self._require_photo(rendition.original)
            note = Failure(
                reason=str(error),
                decoders=DECODERS,
                noted_at=photo.read_at,
                times_given_up=times,
            )
            await self._keep(
                rendition.original,
                rendition.failure_key,
                note.model_dump_json().encode(),
                content_type="application/json",
            )
        except NotFound:
            raise
        except Exception as problem:  # noqa: BLE001 - the guest is told of the picture
            log.warning("rendition_failure_not_noted", key=rendition.key, error=str(problem))

    async def _keep(self, original: Original, key: str, data: bytes, *, content_type: str) -> None:
        """Put an object that goes with the photo.

        The photo may have been deleted meanwhile, and its renditions with it. Deleted later than
        the second look, its message comes later too, and finds what was put. Where nobody can
        say, the object goes as well: it can be made again.
        """
        try:
            await self._store.put(key, data, content_type=content_type)
            await self._require_photo(original)
        except BaseException:
            await asyncio.shield(self._store.delete(key))
            raise

    async def _require_photo(self, original: Original) -> PhotoRecord:
        async with self._database.read() as connection:
            photo = await repository.photo_by_filename(connection, original.filename)
        if photo is None or photo.event_id != original.event_id:
            raise NotFound("Photo", original.filename)
        return photo
