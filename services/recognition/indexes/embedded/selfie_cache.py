"""The owner's copy of an event's selfies, checked against the database at every use."""

import numpy as np
from cachetools import LRUCache

from libs.common.database.database import Database
from services.recognition.engine.profiles import EngineProfile
from services.recognition.indexes.embedded import repository as face_sets
from services.recognition.matching.rules import SelfieSet

DEFAULT_MAX_BYTES = 256 * 1024 * 1024


class SelfieCache:
    """Keeps embeddings in memory; the set itself is read anew each time.

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
