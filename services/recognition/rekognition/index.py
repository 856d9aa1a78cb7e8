"""Faces indexed and compared by Amazon Rekognition."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import structlog

from libs.common.database import Database
from libs.common.errors import FindMeError, PermanentError
from services.recognition import metrics
from services.recognition.engine.workers import WorkerPool
from services.recognition.face_index import (
    FaceKey,
    IndexedFace,
    IndexedPhoto,
    PhotoKey,
    SelfieKey,
)
from services.recognition.matching import Match
from services.recognition.rekognition import repository
from services.recognition.rekognition.collections import Collections
from services.recognition.rekognition.image import PreparedImage
from services.recognition.rekognition.names import photo_image, user_image
from services.recognition.rekognition.search import Searcher
from services.recognition.rekognition.service import (
    MAX_FACES_OF_PHOTO,
    MAX_SEARCH_RESULTS,
    CollectionMissing,
    Indexed,
    InputRefused,
    Rekognition,
)

#: The same face of the same image, indexed twice.
SAME_FACE_SIMILARITY = 99.0

log = structlog.get_logger(__name__)


class RekognitionIndex:
    """`FaceIndex` by a paid service: an IndexFaces per photo and selfie, searches by plan."""

    name = repository.ENGINE

    def __init__(
        self,
        database: Database,
        rekognition: Rekognition,
        collections: Collections,
        images: WorkerPool[PreparedImage],
        *,
        max_results: int = MAX_SEARCH_RESULTS,
    ) -> None:
        self.photos_at_once = rekognition.calls_at_once
        self._database = database
        self._rekognition = rekognition
        self._collections = collections
        self._images = images
        self._max_results = max_results

    async def index_photo(self, photo: PhotoKey, path: Path) -> IndexedPhoto:
        """See `FaceIndex.index_photo`; raises what may pass, too (RekognitionFailed)."""
        metrics.ENGINE_CALLS.labels("analyze_photo").inc()
        image = await self._images.analyze(path)
        found = await self._index(
            photo.event_id, image, photo_image(photo.photo_id), max_faces=MAX_FACES_OF_PHOTO
        )
        return IndexedPhoto(
            width=image.width,
            height=image.height,
            placeholder=image.placeholder,
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
        image = await self._images.analyze(path)
        found = await self._index(selfie.event_id, image, user_image(selfie.user_id), max_faces=1)
        if not found.faces:
            msg = "No face was found in the selfie. Send another one."
            raise PermanentError(msg)
        return FaceKey(external_face_id=found.faces[0].face_id)

    async def match(
        self,
        event_id: int,
        *,
        photo_ids: Sequence[int] = (),
        selfie_ids: Sequence[int] = (),
        threshold: float,
    ) -> AsyncIterator[list[Match]]:
        """See `FaceIndex.match`; both in one round, which costs less than one after the other."""
        searcher = Searcher(
            database=self._database,
            rekognition=self._rekognition,
            event_id=event_id,
            collection=self._collections.name(event_id),
            threshold=threshold,
            max_results=self._max_results,
        )
        yield await searcher.match(photo_ids, selfie_ids)

    def forget(self, event_id: int, selfie_id: int) -> None:
        """See `FaceIndex.forget`: nothing is held in memory."""

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
            await self._remove_strays(event_id, indexed, external_image_id)
        return indexed

    async def _in_collection(
        self, event_id: int, index: Callable[[str], Awaitable[Indexed]]
    ) -> Indexed:
        try:
            return await index(await self._collections.ensure(event_id))
        except CollectionMissing:
            await self._collections.report_missing(event_id)
            return await index(await self._collections.ensure(event_id))

    async def _remove_strays(self, event_id: int, indexed: Indexed, external_image_id: str) -> None:
        """Remove what an attempt of unknown outcome may have indexed before."""
        collection = self._collections.name(event_id)
        ours = {face.face_id for face in indexed.faces}
        try:
            strays: set[str] = set()
            for face_id in ours:
                hits = await self._rekognition.search_faces(
                    event_id, collection, face_id, threshold=SAME_FACE_SIMILARITY
                )
                strays |= {
                    hit.face_id for hit in hits if hit.external_image_id == external_image_id
                }
            async with self._database.read() as connection:
                unknown = await repository.unknown_faces(connection, sorted(strays - ours))
            if unknown:
                await self._rekognition.delete_faces(event_id, collection, unknown)
        except FindMeError as error:
            # They go with the event; what was indexed now must not be indexed a third time.
            log.warning("strays_not_removed", image=external_image_id, error=str(error))
