"""Faces indexed by our own worker processes and matched by one matrix product."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from cachetools import LRUCache
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from libs.common.errors import PermanentError
from services.recognition import metrics
from services.recognition.engine.detect.selfie_check import NOT_UPRIGHT, own_face
from services.recognition.engine.face_engine import (
    EngineProfile,
    PhotoAnalysis,
    Purpose,
    to_bytes,
)
from services.recognition.engine.workers import PHOTOS, SELFIES, EnginePool
from services.recognition.indexes.embedded import repository as face_sets
from services.recognition.indexes.embedded.kept_faces import (
    NO_PHOTOS,
    EventFaces,
    KeptFaces,
)
from services.recognition.indexes.face_index import (
    FaceKey,
    IndexedFace,
    IndexedPhoto,
    PhotoKey,
    SelfieKey,
)
from services.recognition.matching.compare import (
    FaceSet,
    Match,
    SelfieSet,
    best_matches,
    best_of_each,
)

#: Selfies whose embeddings are compared with the whole event before the next ones are read.
SELFIES_AT_ONCE = 5_000
#: So many at once are compared with what is kept of the event's faces; of more, nearly every face
#: is near to somebody, and all are read.
FEW_SELFIES = 4
#: Comparisons at a time: a matrix product already uses what cores it finds.
MATCHING_THREADS = 2
#: Of selfies' embeddings that are held in memory.
DEFAULT_MAX_BYTES = 256 * 1024 * 1024

T = TypeVar("T")


class EmbeddedIndex:
    """`FaceIndex` of the engines that run here: embeddings are in the database.

    Nothing is paid per comparison, so a photo is matched as soon as it is analysed.
    """

    def __init__(
        self,
        database: Database,
        pool: EnginePool,
        engine: EngineProfile,
        *,
        photos_at_once: int,
    ) -> None:
        self.name = engine.name
        self.photos_at_once = photos_at_once
        self._database = database
        self._pool = pool
        self._engine = engine
        self._selfies = SelfieCache(engine=engine)
        self._faces = KeptFaces()
        # Its own: in the loop's, 16 partitions that match would hold up files and hashes.
        self._threads = ThreadPoolExecutor(MATCHING_THREADS, thread_name_prefix="match")

    async def index_photo(self, photo: PhotoKey, path: Path) -> IndexedPhoto:
        """See `FaceIndex.index_photo`; raises WorkerCrashed and WorkerTimedOut, too."""
        del photo  # the analysis is the same, whichever photo the file is
        metrics.ENGINE_CALLS.labels("analyze_photo").inc()
        return indexed_photo(await self._pool.run_as(PHOTOS, path, Purpose.PHOTO))

    async def index_selfie(self, selfie: SelfieKey, path: Path) -> FaceKey:
        """See `FaceIndex.index_selfie`; raises WorkerCrashed and WorkerTimedOut, too."""
        del selfie
        metrics.ENGINE_CALLS.labels("index_selfie").inc()
        analysis = await self._pool.run_as(SELFIES, path, Purpose.SELFIE)
        own = own_face(analysis.faces)
        if own is None:
            msg = "No face was found in the selfie. Send another one."
            raise PermanentError(msg)
        if not analysis.faces[own].is_aligned:
            raise PermanentError(NOT_UPRIGHT)
        return FaceKey(embedding=to_bytes(analysis.faces[own].embedding))

    async def remove_leftovers(
        self, of: PhotoKey | SelfieKey, keys: Sequence[FaceKey], *, is_repeat: bool
    ) -> None:
        """See `FaceIndex.remove_leftovers`: what is not committed is nowhere."""

    async def match(
        self,
        event_id: int,
        *,
        photo_ids: Sequence[int] = (),
        selfie_ids: Sequence[int] = (),
        threshold: float,
    ) -> AsyncGenerator[list[Match], None]:
        """See `FaceIndex.match`; both sides are read, and matches yielded, chunk by chunk."""
        if photo_ids:
            async with self._database.read() as connection:
                faces = await face_sets.faces_of_photos(connection, photo_ids, engine=self._engine)
            selfies = await self._selfies.current(self._database, event_id)
            yield await self._in_thread(partial(self._comparing(selfies, threshold), faces))
        for chunk in _chunks(selfie_ids):
            async with self._database.scan() as connection:
                selfies = await face_sets.load_selfies(
                    connection, event_id, chunk, engine=self._engine
                )
                comparing = (
                    self._compare_kept(connection, event_id, selfies, threshold)
                    if len(selfies) <= FEW_SELFIES
                    else self._compare_all(connection, event_id, selfies, threshold)
                )
                async with aclosing(comparing):
                    async for found in comparing:
                        yield found

    async def _compare_all(
        self, connection: AsyncConnection, event_id: int, selfies: SelfieSet, threshold: float
    ) -> AsyncGenerator[list[Match], None]:
        every = face_sets.scan_faces(connection, event_id, engine=self._engine)
        compare = self._comparing(selfies, threshold)
        async with aclosing(self._while_reading(every, compare)) as comparisons:
            async for found in comparisons:
                yield found

    async def _compare_kept(
        self, connection: AsyncConnection, event_id: int, selfies: SelfieSet, threshold: float
    ) -> AsyncGenerator[list[Match], None]:
        """Compare with what is kept of the event, and then with the rest, which is kept next time.

        Which photos there are is read after the selfie's commit: one that is analysed later looks
        at the selfie itself.
        """
        forgotten = self._faces.forgotten
        photos = await face_sets.analyzed_photos(connection, event_id, engine=self._engine.name)
        kept = self._faces.of(event_id) or EventFaces(NO_PHOTOS)
        if len(gone := kept.photos.without(photos)):
            kept.drop(gone)
        compare = self._comparing(selfies, threshold)
        distance = self._engine.calibration.distance_of(threshold)
        near = await self._in_thread(partial(kept.near, selfies, distance))
        found: list[Match] = []
        async for faces in face_sets.faces_in_parts(connection, near, engine=self._engine):
            found += await self._in_thread(partial(compare, faces))
        if found:
            # A photo's faces may have come in two parts.
            yield best_of_each(found)
        missing = photos.without(kept.photos)
        rest = face_sets.faces_of_many_photos(connection, missing, engine=self._engine)
        with self._faces.reading(event_id, photos, kept, forgotten=forgotten) as reading:

            async def reserved() -> AsyncIterator[FaceSet]:
                async for faces in rest:
                    self._faces.reserve(event_id, reading, faces)
                    yield faces

            def compare_and_keep(faces: FaceSet) -> list[Match]:
                reading.add(faces)
                return compare(faces)

            async with aclosing(self._while_reading(reserved(), compare_and_keep)) as others:
                async for found in others:
                    yield found

    async def _while_reading(
        self, sets: AsyncIterator[FaceSet], compare: Callable[[FaceSet], list[Match]]
    ) -> AsyncGenerator[list[Match], None]:
        """Compare one set in a thread while the next one is read."""
        comparing: asyncio.Task[list[Match]] | None = None
        try:
            async for faces in sets:
                if comparing is not None:
                    yield await comparing
                comparing = asyncio.create_task(self._in_thread(partial(compare, faces)))
            if comparing is not None:
                yield await comparing
        finally:
            if comparing is not None:
                comparing.cancel()

    def _comparing(self, selfies: SelfieSet, threshold: float) -> Callable[[FaceSet], list[Match]]:
        return partial(
            best_matches, selfies, threshold=threshold, calibration=self._engine.calibration
        )

    def forget(self, event_id: int, selfie_id: int | None = None) -> None:
        """See `FaceIndex.forget`."""
        self._selfies.forget(event_id, selfie_id)
        if selfie_id is None:
            self._faces.forget(event_id)

    def forget_photo(self, event_id: int, photo_id: int) -> None:
        """See `FaceIndex.forget_photo`."""
        self._faces.forget(event_id, [photo_id])

    def forget_all(self) -> None:
        """See `FaceIndex.forget_all`."""
        self._selfies.forget_all()
        self._faces.forget_all()

    def close(self) -> None:
        """End the threads; what still waits for one is not compared any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def knows(self, event_id: int) -> list[int]:
        """Return the ids of the event's selfies whose embeddings are in memory."""
        return self._selfies.knows(event_id)

    def knows_faces(self, event_id: int) -> list[int]:
        """Return the ids of the faces in the event's photos that are in memory, rounded."""
        return self._faces.knows(event_id)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # 2,000 selfies and 10,000 faces take a third of a second of a core, in which the matrix
        # product holds up nobody else.
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class SelfieCache:
    """The copy of an event's selfies in memory, checked against the database at every use.

    A selfie never changes under its id, so the list of ids (an index-only read) decides
    what to load and what to forget: exact, whoever else writes.
    """

    def __init__(self, *, engine: EngineProfile, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._engine = engine
        self._sets: LRUCache[int, SelfieSet] = LRUCache(
            max_bytes, getsizeof=lambda selfies: selfies.embeddings.nbytes + 512
        )
        #: How often something was forgotten: what is being read meanwhile may be that.
        self._forgotten = 0

    async def current(self, database: Database, event_id: int) -> SelfieSet:
        """Return the event's indexed selfies as they are committed now."""
        forgotten = self._forgotten
        async with database.read() as connection:
            ids = await face_sets.live_selfie_ids(connection, event_id, engine=self._engine.name)
            known = self._sets.get(event_id)
            if known is not None and known.selfie_ids.tolist() == ids:
                return known
            held = set() if known is None else set(known.selfie_ids.tolist())
            fresh = await face_sets.load_selfies(
                connection,
                event_id,
                [selfie for selfie in ids if selfie not in held],
                engine=self._engine,
            )
        selfies = fresh if known is None else _merge(known, fresh, keep=set(ids))
        if forgotten == self._forgotten:
            self._sets[event_id] = selfies
        return selfies

    def forget(self, event_id: int, selfie_id: int | None = None) -> None:
        """Drop a removed selfie's embedding from memory, or those of an event that is gone."""
        self._forgotten += 1
        known = self._sets.get(event_id)
        if known is None:
            return
        if selfie_id is None:
            del self._sets[event_id]
        elif selfie_id in known.selfie_ids:
            self._sets[event_id] = _select(known, known.selfie_ids != selfie_id)

    def forget_all(self) -> None:
        """Drop everything; it is read anew when it is needed."""
        self._forgotten += 1
        self._sets.clear()

    def knows(self, event_id: int) -> list[int]:
        """Return the ids of the event's selfies that are in memory."""
        known = self._sets.get(event_id)
        return [] if known is None else known.selfie_ids.tolist()


def indexed_photo(analysis: PhotoAnalysis) -> IndexedPhoto:
    """Return an engine's analysis as it is stored."""
    return IndexedPhoto(
        width=analysis.width,
        height=analysis.height,
        placeholder=analysis.placeholder,
        thumbnail=analysis.thumbnail,
        note=analysis.note,
        faces=tuple(
            IndexedFace(
                left=face.left,
                top=face.top,
                width=face.width,
                height=face.height,
                confidence=face.confidence,
                quality=face.quality,
                key=FaceKey(embedding=to_bytes(face.embedding)),
            )
            for face in analysis.faces
        ),
    )


def _chunks(selfie_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(selfie_ids), SELFIES_AT_ONCE):
        yield selfie_ids[first : first + SELFIES_AT_ONCE]


def _merge(known: SelfieSet, fresh: SelfieSet, *, keep: set[int]) -> SelfieSet:
    kept = _select(known, np.isin(known.selfie_ids, np.fromiter(keep, np.int64, len(keep))))
    order = np.argsort(np.concatenate([kept.selfie_ids, fresh.selfie_ids]))
    return SelfieSet(
        selfie_ids=np.concatenate([kept.selfie_ids, fresh.selfie_ids])[order],
        user_ids=np.concatenate([kept.user_ids, fresh.user_ids])[order],
        embeddings=np.concatenate([kept.embeddings, fresh.embeddings])[order],
    )


def _select(selfies: SelfieSet, mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> SelfieSet:
    return SelfieSet(
        selfie_ids=selfies.selfie_ids[mask],
        user_ids=selfies.user_ids[mask],
        embeddings=selfies.embeddings[mask],
    )
