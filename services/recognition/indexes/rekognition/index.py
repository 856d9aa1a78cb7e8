"""Faces indexed and compared by Amazon Rekognition."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path

import structlog

from libs.common.database.database import Database
from libs.common.errors import FindMeError, PermanentError
from libs.common.workers.pool import WorkerPool
from services.recognition import metrics
from services.recognition.engine.face_engine import Purpose
from services.recognition.engine.workers import PHOTOS, SELFIES
from services.recognition.indexes.face_index import (
    FaceKey,
    IndexedFace,
    IndexedPhoto,
    PhotoKey,
    SelfieKey,
)
from services.recognition.indexes.rekognition import repository
from services.recognition.indexes.rekognition.client import (
    MAX_FACES_OF_PHOTO,
    MAX_SEARCH_RESULTS,
    CollectionMissing,
    Indexed,
    InputRefused,
    Rekognition,
    photo_image,
    user_image,
)
from services.recognition.indexes.rekognition.collections import Collections
from services.recognition.indexes.rekognition.prepared_image import PreparedImage
from services.recognition.indexes.rekognition.search import Searcher
from services.recognition.matching.compare import Match

#: The same face of the same image, indexed twice.
SAME_FACE_SIMILARITY = 99.0

log = structlog.get_logger(__name__)


#: Prepares images; not in image.py, which each of its workers imports.
ImagePool = WorkerPool[[Path, Purpose], PreparedImage]


class RekognitionIndex:
    """`FaceIndex` by a paid service: an IndexFaces per photo and selfie, searches by plan."""

    name = repository.ENGINE

    def __init__(
        self,
        database: Database,
        rekognition: Rekognition,
        collections: Collections,
        images: ImagePool,
        *,
        max_results: int = MAX_SEARCH_RESULTS,
    ) -> None:
        self.photos_at_once = rekognition.calls_at_once
        self._database = database
        self._rekognition = rekognition
        self._collections = collections
        self._images = images
        self._max_results = max_results
        #: Images in hand of which an attempt had an unknown outcome.
        self._unsure: set[tuple[int, str]] = set()

    async def index_photo(self, photo: PhotoKey, path: Path) -> IndexedPhoto:
        """See `FaceIndex.index_photo`; raises what may pass, too (RekognitionFailed)."""
        metrics.ENGINE_CALLS.labels("analyze_photo").inc()
        image = await self._images.run_as(PHOTOS, path, Purpose.PHOTO)
        found = await self._index(
            photo.event_id, image, photo_image(photo.photo_id), max_faces=MAX_FACES_OF_PHOTO
        )
        return IndexedPhoto(
            width=image.width,
            height=image.height,
            placeholder=image.placeholder,
            thumbnail=image.thumbnail,
            note=image.note,
            faces=tuple(
                IndexedFace(
                    left=face.left,
                    top=face.top,
                    width=face.width,
                    height=face.height,
                    confidence=face.confidence,
                    # The service leaves out by itself what is too blurred or too small.
                    quality=1.0,
                    key=FaceKey(external_face_id=face.face_id),
                )
                for face in found.faces
            ),
        )

    async def index_selfie(self, selfie: SelfieKey, path: Path) -> FaceKey:
        """See `FaceIndex.index_selfie`: the largest face is the guest's."""
        metrics.ENGINE_CALLS.labels("index_selfie").inc()
        image = await self._images.run_as(SELFIES, path, Purpose.SELFIE)
        found = await self._index(selfie.event_id, image, _image_name(selfie), max_faces=1)
        if not found.faces:
            msg = "No face was found in the selfie. Send another one."
            raise PermanentError(msg)
        return FaceKey(external_face_id=found.faces[0].face_id)

    async def remove_leftovers(
        self, of: PhotoKey | SelfieKey, keys: Sequence[FaceKey], *, is_repeat: bool
    ) -> None:
        """See `FaceIndex.remove_leftovers`; a search per face, and only where needed."""
        name = _image_name(of)
        is_unsure = (of.event_id, name) in self._unsure
        self._unsure.discard((of.event_id, name))
        if not is_repeat and not is_unsure:
            return
        face_ids = [key.external_face_id for key in keys if key.external_face_id is not None]
        try:
            await self._remove_strays(of.event_id, name, face_ids)
        except FindMeError as error:
            # They go with the event; the photo or selfie itself is safe.
            log.warning("strays_not_removed", image=name, error=error)

    async def match(
        self,
        event_id: int,
        *,
        photo_ids: Sequence[int] = (),
        selfie_ids: Sequence[int] = (),
        threshold: float,
    ) -> AsyncGenerator[list[Match], None]:
        """See `FaceIndex.match`; both in one round, which costs less than one after the other."""
        searched = await self.searcher(event_id, threshold).match(photo_ids, selfie_ids)
        yield searched.matches

    def searcher(self, event_id: int, threshold: float) -> Searcher:
        """Return what plans and makes the event's searches."""
        return Searcher(
            database=self._database,
            rekognition=self._rekognition,
            event_id=event_id,
            collection=self._collections.name(event_id),
            threshold=threshold,
            max_results=self._max_results,
        )

    def forget(self, event_id: int, selfie_id: int | None = None) -> None:
        """See `FaceIndex.forget`: nothing is held in memory."""

    def forget_photo(self, event_id: int, photo_id: int) -> None:
        """See `FaceIndex.forget_photo`: nothing is held."""

    def forget_all(self) -> None:
        """See `FaceIndex.forget_all`: nothing is held in memory."""

    async def _index(
        self, event_id: int, image: PreparedImage, external_image_id: str, *, max_faces: int
    ) -> Indexed:
        async def index(collection: str) -> Indexed:
            return await self._rekognition.index_faces(
                event_id,
                collection,
                image=image.jpeg,
                external_image_id=external_image_id,
                max_faces=max_faces,
            )

        try:
            indexed = await self._in_collection(event_id, index)
        except InputRefused as error:
            msg = f"The photo cannot be used: {error}"
            raise PermanentError(msg) from error
        if not indexed.is_first:
            self._unsure.add((event_id, external_image_id))
        return indexed

    async def _in_collection(
        self, event_id: int, index: Callable[[str], Awaitable[Indexed]]
    ) -> Indexed:
        try:
            return await index(await self._collections.ensure(event_id))
        except CollectionMissing:
            await self._collections.report_missing(event_id)
            return await index(await self._collections.ensure(event_id))

    async def _remove_strays(
        self, event_id: int, external_image_id: str, face_ids: Sequence[str]
    ) -> None:
        """Find the same faces under the same name, and delete those that no row refers to."""
        collection = self._collections.name(event_id)
        found: set[str] = set()
        for face_id in face_ids:
            hits = await self._rekognition.search_faces(
                event_id, collection, face_id, threshold=SAME_FACE_SIMILARITY
            )
            found |= {hit.face_id for hit in hits if hit.external_image_id == external_image_id}
        async with self._database.read() as connection:
            strays = await repository.stray_faces(connection, sorted(found))
        if strays:
            await self._rekognition.delete_faces(event_id, collection, strays)


def _image_name(of: PhotoKey | SelfieKey) -> str:
    match of:
        case PhotoKey():
            return photo_image(of.photo_id)
        case SelfieKey():
            return user_image(of.user_id, of.selfie_id)
