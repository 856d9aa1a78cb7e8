"""Renditions on demand: made at the first request, kept in the store, then only read.

Not made at the upload: at the rush the processors belong to recognition, and most previews
of most photos are never opened.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from pydantic import AwareDatetime, BaseModel, ValidationError

from libs.common.database.database import Database
from libs.common.errors import NotFound, Unavailable
from libs.common.exhaustion import Exhausted
from libs.common.images.formats import ImageFormat
from libs.common.storage.fetches import Fetches
from libs.common.storage.protocol import ObjectInfo, ObjectNotFound, ObjectStore
from libs.common.storage.whole_file import Content, NotAsUploaded
from libs.common.workers.errors import WorkerNotStarted, WorkersStopped
from libs.common.workers.strikes import Strikes
from libs.common.workers.trial import WorkerOverwhelmed
from services.media.metrics import RENDITION_SECONDS, RENDITIONS
from services.media.photos import repository
from services.media.photos.media_key import Made, Original, Rendition
from services.media.photos.repository import PhotoRecord
from services.media.renditions.decoding import DECODERS, CannotDecode
from services.media.renditions.rendition_pool import GivenUp, RenditionPool
from services.media.renditions.single_flight import SingleFlight
from services.media.stripping.pieces import Copy

JPEG = "image/jpeg"
JSON = "application/json"
JPEG_HEAD = b"\xff\xd8"
#: A photo that could not be decoded is not tried again for so long.
REMEMBERED = timedelta(hours=1)
#: Where the machine may have been to blame, it is only so long, and twice as long each time that
#: it happens again: a picture that always takes too long must not keep the workers busy.
GIVEN_UP_FOR = timedelta(minutes=1)
#: Given up so often, minutes apart, it is the picture and not the machine.
PASSING_TIMES = 3
#: Renditions that are written, each with a file or a request and a connection to the database.
KEPT_AT_ONCE = 4
#: Until then the machine is taken to have had a bad moment, and the guest is asked to come back.
OVERWHELMING_TIMES = 3

log = structlog.get_logger(__name__)


class NoRendition(NotFound):
    """The photo is there, but cannot be shown; the message says why."""

    def __init__(self, rendition: Made, reason: str, *, passes_in: timedelta | None = None) -> None:
        """`passes_in` is when it is tried again, where the machine may have been to blame."""
        super().__init__("rendition", rendition.key)
        self.reason = reason
        self.passes_in = passes_in

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
        return _lasts(self.times_given_up)


@dataclass(frozen=True, slots=True)
class _Object:
    """What is kept in the store."""

    key: str
    data: bytes = field(repr=False)
    content_type: str


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
        self._keeping = asyncio.Semaphore(KEPT_AT_ONCE)
        self._strikes: Strikes[str] = Strikes(OVERWHELMING_TIMES)

    async def ensure(self, rendition: Made) -> ObjectInfo:
        """Return the rendition's object, made now if it was not there.

        Raises NotFound without such a photo, NoRendition when it cannot be decoded,
        Unavailable when too many are being made, or none can be.
        """
        try:
            return await self._store.stat(rendition.key)
        except ObjectNotFound:
            return await self._flights.run(rendition.key, lambda: self._make(rendition))

    async def _make(self, rendition: Made) -> ObjectInfo:
        outcome = "failed"
        before: Failure | None = None
        started = time.perf_counter()
        try:
            async with AsyncExitStack() as until_kept:
                async with self._pool.turn(rendition.name):
                    photo = await self._require_photo(rendition.original)
                    before = await self._outdated_failure(rendition, now=photo.read_at)
                    made = await self._render(rendition, photo.content)
                    # A slow store holds up those that come, before their pictures fill memory.
                    await until_kept.enter_async_context(self._keeping)
                await self._keep(rendition.original, *made)
            info = await self._store.stat(rendition.key)
            outcome = "made"
        except (WorkerNotStarted, WorkersStopped, WorkerOverwhelmed, Exhausted):
            raise
        except Unavailable:
            outcome = "refused"
            raise
        except CannotDecode as error:
            outcome = "undecodable"
            await self._remember(rendition, error, before)
            times = _times_given_up(error, before)
            raise _no_rendition(rendition, str(error), times) from error
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

    async def _render(self, rendition: Made, content: Content) -> "list[_Object]":
        try:
            async with self._fetches.whole_file(rendition.original.key, content) as source:
                made = await self._made(source, rendition)
        except NotAsUploaded as error:
            raise GivenUp("its file is not what was uploaded") from error
        except WorkerOverwhelmed as error:
            if not self._strikes.is_out(rendition.key):
                raise
            raise GivenUp("it takes more memory than there is") from error
        self._strikes.forget(rendition.key)
        return made

    async def _made(self, source: Path, rendition: Made) -> "list[_Object]":
        """Return the objects that are to be kept, the one that is looked for last."""
        if isinstance(rendition, Rendition):
            picture = await self._pool.render(source, rendition.longest_side_px)
            return [_Object(rendition.key, picture, ImageFormat.WEBP.media_type)]
        made = await self._pool.copy_for_guests(source)
        if made.startswith(JPEG_HEAD):
            note = Copy.of_picture(made).model_dump_json().encode()
            picture_of_it = _Object(rendition.picture_key, made, JPEG)
            return [picture_of_it, _Object(rendition.key, note, JSON)]
        return [_Object(rendition.key, made, JSON)]

    async def _outdated_failure(self, rendition: Made, *, now: datetime) -> Failure | None:
        """Return why the photo could not be shown a longer while ago, or by other decoders.

        Raises NoRendition when it was the same decoders, and not long ago.
        """
        try:
            failure = Failure.model_validate_json(await self._store.get(rendition.failure_key))
        except (ObjectNotFound, ValidationError):
            return None
        is_fresh = now - failure.noted_at < failure.lasts
        if is_fresh and failure.decoders == DECODERS:
            raise _no_rendition(rendition, failure.reason, failure.times_given_up)
        return failure

    async def _remember(self, rendition: Made, error: CannotDecode, before: Failure | None) -> None:
        """Leave a note of the failure, if that is possible: it only saves work."""
        try:
            photo = await self._require_photo(rendition.original)
            note = Failure(
                reason=str(error),
                decoders=DECODERS,
                noted_at=photo.read_at,
                times_given_up=_times_given_up(error, before),
            )
            data = note.model_dump_json().encode()
            await self._keep(rendition.original, _Object(rendition.failure_key, data, JSON))
        except NotFound:
            raise
        except Exception as problem:  # noqa: BLE001 - the guest is told of the picture
            log.warning("rendition_failure_not_noted", key=rendition.key, error=problem)

    async def _keep(self, original: Original, *objects: "_Object") -> None:
        """Put objects that go with the photo.

        The photo may have been deleted meanwhile, and its renditions with it. Deleted later than
        the second look, its message comes later too, and finds what was put. Where nobody can
        say, they go as well: they can be made again.
        """
        try:
            for one in objects:
                await self._store.put(one.key, one.data, content_type=one.content_type)
            await self._require_photo(original)
        except BaseException:
            await asyncio.shield(self._take_back(objects))
            raise

    async def _take_back(self, objects: "tuple[_Object, ...]") -> None:
        """Delete what goes with a photo, each whatever becomes of the others.

        The one that is looked for first: a note without its picture would be believed.
        """
        for one in reversed(objects):
            try:
                await self._store.delete(one.key)
            except Exception as problem:  # noqa: BLE001 - what was wrong before is told
                log.warning("rendition_not_taken_back", key=one.key, error=problem)

    async def _require_photo(self, original: Original) -> PhotoRecord:
        async with self._database.read() as connection:
            photo = await repository.photo_by_filename(connection, original.filename)
        if photo is None or photo.event_id != original.event_id:
            raise NotFound("Photo", original.filename)
        return photo


def _lasts(times_given_up: int) -> timedelta:
    if times_given_up == 0:
        return REMEMBERED
    doublings = min(times_given_up - 1, 10)
    return min(REMEMBERED, GIVEN_UP_FOR * (1 << doublings))


def _times_given_up(error: CannotDecode, before: Failure | None) -> int:
    return (before.times_given_up if before else 0) + 1 if isinstance(error, GivenUp) else 0


def _no_rendition(rendition: Made, reason: str, times_given_up: int) -> NoRendition:
    passes = 0 < times_given_up < PASSING_TIMES
    return NoRendition(rendition, reason, passes_in=_lasts(times_given_up) if passes else None)
