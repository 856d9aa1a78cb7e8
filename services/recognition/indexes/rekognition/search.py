"""Carries out a plan of searches and puts the results together as matches."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.database import Database
from services.recognition import metrics
from services.recognition.indexes.rekognition import repository
from services.recognition.indexes.rekognition.client import (
    MAX_SEARCH_RESULTS,
    Hit,
    InputRefused,
    Rekognition,
    is_user,
    photo_of,
)
from services.recognition.indexes.rekognition.planner import Comparisons, Sides, plan_searches
from services.recognition.indexes.rekognition.repository import KnownFace, KnownFaces, KnownSelfie
from services.recognition.matching.compare import Match, best_of_each

#: Searches made because a result was cut off; beyond, the most similar faces must do.
MAX_FALLBACK_SEARCHES = 4096

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A selfie and a photo's face that are alike."""

    selfie: KnownSelfie
    face_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Searched:
    """The outcome of a round. Once the matches are committed, `Comparisons` may record it."""

    matches: list[Match]
    #: The new selfies that were compared.
    selfie_ids: list[int]
    #: How many searches it took.
    calls: int
    #: The selfies that were searched from, and the waiting faces that they were compared with.
    compared: frozenset[str]
    waiting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Searcher:
    """Searches in one event's collection, for faces at least `threshold` alike."""

    database: Database
    rekognition: Rekognition
    event_id: int
    collection: str
    threshold: float
    max_results: int = MAX_SEARCH_RESULTS

    async def match(
        self,
        photo_ids: Sequence[int],
        selfie_ids: Sequence[int] | None,
        *,
        comparisons: Comparisons | None = None,
        waiting_photos: int = 0,
    ) -> Searched:
        """Compare these photos with all selfies, and these selfies with all photos.

        Without `selfie_ids` the new selfies are those that wait. What was compared before, by
        `comparisons`, is not compared again. Of so many photos that wait for a later round, the
        outcome says which selfies were compared with them.
        """
        known = await self._read(photo_ids, selfie_ids, waiting_photos)
        plan = plan_searches(_sides(known, comparisons or Comparisons()))
        metrics.AWS_PLANNED.inc(plan.calls)
        selfies = [item for item in known.selfies if item.face_id in plan.selfies]
        faces = [item for item in known.faces if item.face_id in plan.faces]
        pairs, cut_selfies, cut_faces = await self._search(known, selfies, faces)
        calls = plan.calls
        if cut_selfies or cut_faces:
            more, further = await self._search_around(known, selfies, faces, cut_selfies, cut_faces)
            pairs += more
            calls += further
        cut = {item.face_id for item in cut_selfies}
        return Searched(
            matches=await self._matches(pairs),
            selfie_ids=[item.selfie_id for item in known.selfies if item.is_new],
            calls=calls,
            compared=plan.selfies - cut,
            waiting=known.waiting,
        )

    async def _read(
        self, photo_ids: Sequence[int], selfie_ids: Sequence[int] | None, waiting_photos: int
    ) -> KnownFaces:
        snapshots = self.database.engine.execution_options(isolation_level="REPEATABLE READ")
        async with snapshots.begin() as connection:
            return await repository.read_sides(
                connection,
                self.event_id,
                photo_ids=photo_ids,
                selfie_ids=selfie_ids,
                waiting_photos=waiting_photos,
            )

    async def _search(
        self, known: KnownFaces, selfies: Sequence[KnownSelfie], faces: Sequence[KnownFace]
    ) -> tuple[list[_Pair], list[KnownSelfie], list[KnownFace]]:
        """Return the pairs, and those whose result was cut off at the service's limit."""
        new_photos = {face.photo_id for face in known.faces if face.is_new}
        waiting = set(known.waiting)
        by_face_id = {selfie.face_id: selfie for selfie in known.selfies}
        searched = [item.face_id for item in selfies] + [item.face_id for item in faces]
        results = await asyncio.gather(*(self._hits(face_id) for face_id in searched))
        of_selfies, of_faces = results[: len(selfies)], results[len(selfies) :]
        pairs = [
            _Pair(selfie, hit.face_id, hit.similarity)
            for selfie, hits in zip(selfies, of_selfies, strict=True)
            for hit in hits
            if (photo := photo_of(hit.external_image_id)) is not None
            # What an old selfie was compared with before is matched already, or was taken back.
            and (selfie.is_new or photo in new_photos or hit.face_id in waiting)
        ]
        pairs += [
            _Pair(selfie, face.face_id, hit.similarity)
            for face, hits in zip(faces, of_faces, strict=True)
            for hit in hits
            if is_user(hit.external_image_id)
            # A selfie indexed since the snapshot is compared with this face by its own round.
            and (selfie := by_face_id.get(hit.face_id)) is not None
            and (face.is_new or selfie.is_new)
        ]
        return (
            pairs,
            [item for item, hits in zip(selfies, of_selfies, strict=True) if self._is_cut(hits)],
            [item for item, hits in zip(faces, of_faces, strict=True) if self._is_cut(hits)],
        )

    async def _search_around(
        self,
        known: KnownFaces,
        selfies: Sequence[KnownSelfie],
        faces: Sequence[KnownFace],
        cut_selfies: Sequence[KnownSelfie],
        cut_faces: Sequence[KnownFace],
    ) -> tuple[list[_Pair], int]:
        """Search from the other side what a result that was cut off may lack; say how often."""
        more_selfies = [
            selfie
            for selfie in known.selfies
            if selfie not in selfies and any(face.is_new or selfie.is_new for face in cut_faces)
        ]
        more_faces: list[KnownFace] = []
        if cut_selfies:
            more_faces = [face for face in known.faces if face.is_new and face not in faces]
        if any(selfie.is_new for selfie in cut_selfies):
            more_faces += await self._old_faces(known, searched=faces)
        more_faces = more_faces[:MAX_FALLBACK_SEARCHES]
        log.warning(
            "search_result_cut_off",
            event_id=self.event_id,
            results=len(cut_selfies) + len(cut_faces),
            further_searches=len(more_selfies) + len(more_faces),
        )
        pairs, _, _ = await self._search(known, more_selfies, more_faces)
        return pairs, len(more_selfies) + len(more_faces)

    async def _old_faces(
        self, known: KnownFaces, *, searched: Iterable[KnownFace]
    ) -> list[KnownFace]:
        new_photos = sorted({face.photo_id for face in known.faces if face.is_new})
        async with self.database.read() as connection:
            old = await repository.read_faces(
                connection,
                self.event_id,
                but_not_of=new_photos,
                limit=MAX_FALLBACK_SEARCHES,
                is_new=False,
            )
        done = set(searched)
        return [face for face in old if face not in done]

    async def _hits(self, face_id: str) -> list[Hit]:
        try:
            return await self.rekognition.search_faces(
                self.event_id,
                self.collection,
                face_id,
                threshold=max(self.threshold, 0.0),
                max_faces=self.max_results,
            )
        except InputRefused as error:
            # A photo or selfie that was deleted since the snapshot.
            log.info("face_not_searched", event_id=self.event_id, error=error)
            return []

    def _is_cut(self, hits: Sequence[Hit]) -> bool:
        return len(hits) >= self.max_results

    async def _matches(self, pairs: Sequence[_Pair]) -> list[Match]:
        """Return the best pair of each selfie and photo."""
        async with self.database.read() as connection:
            rows = await _rows(connection, {pair.face_id for pair in pairs})
        return best_of_each(
            Match(
                user_id=pair.selfie.user_id,
                photo_id=photo_id,
                selfie_id=pair.selfie.selfie_id,
                face_id=row_id,
                similarity=pair.similarity,
            )
            for pair in pairs
            # One that was indexed a moment ago is not committed yet; others were deleted.
            if pair.face_id in rows
            for row_id, photo_id in [rows[pair.face_id]]
        )


def _sides(known: KnownFaces, comparisons: Comparisons) -> Sides:
    return Sides(
        new_selfies=[item.face_id for item in known.selfies if item.is_new],
        old_selfies=comparisons.last_compared(
            item.face_id for item in known.selfies if not item.is_new
        ),
        new_faces=comparisons.first_seen(item.face_id for item in known.faces if item.is_new),
        old_faces=[item.face_id for item in known.faces if not item.is_new],
    )


async def _rows(connection: AsyncConnection, face_ids: set[str]) -> dict[str, tuple[int, int]]:
    if not face_ids:
        return {}
    return await repository.faces_by_external_id(connection, sorted(face_ids))
