"""Faces of large events in memory, a byte for each number, to find the few that must be read.

A late selfie is compared with all faces that its event has: of a million, half a gigabyte that
the database reads and sends, for each guest anew. Kept here are their embeddings rounded to eight
bits, with how far off the rounding is at most: by the triangle inequality a face that is alike is
no further from the selfie than that besides. The few that may be alike are read and compared
exactly, so the result is that of comparing all.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from services.recognition.engine.face_engine import FloatArray
from services.recognition.matching.compare import FaceSet, Ids, SelfieSet

#: Of all events together, with those that are being read; one that needs more alone is read from
#: the database each time.
#: At 256 numbers a face takes 280 bytes: a million fit.
MAX_BYTES = 280 * 1024 * 1024
#: Smaller events are read faster than it is worth to keep them: 10,000 faces take 30 ms.
LARGE_EVENT_PHOTOS = 1_000
#: Events that turned out to be too large are remembered, so that it is not tried again.
TOO_LARGE_KEPT = 1_000
#: Photos that come one by one make tiny blocks, each with its own matrix product: of more blocks
#: than this the small ones are joined (3,000 of them took 164 ms a scan).
MANY_BLOCKS = 64
SMALL_BLOCK_FACES = 5_000
_LEVELS = 127
# Of distances that are computed in float32: see `compare.alike_pairs`.
_SQUARED_DISTANCE_SLACK = 1e-4


@dataclass(frozen=True, slots=True)
class AnalyzedPhotos:
    """Photos whose faces are committed: ids in order, and moments of analysis in µs, both (n,)."""

    ids: Ids
    analyzed_at: Ids

    def without(self, others: "AnalyzedPhotos") -> Ids:
        """Return the ids of those that the others have not, or have of another analysis."""
        if not len(others.ids):
            return self.ids
        places = np.searchsorted(others.ids, self.ids).clip(max=len(others.ids) - 1)
        is_there = (others.ids[places] == self.ids) & (
            others.analyzed_at[places] == self.analyzed_at
        )
        left: Ids = self.ids[~is_there]
        return left


NO_PHOTOS = AnalyzedPhotos(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(slots=True)
class _Block:
    """Rounded faces: numbers (n, d) in steps of `steps` (n,), and what they would be exactly."""

    codes: npt.NDArray[np.int8]
    steps: npt.NDArray[np.float32]
    squared_lengths: npt.NDArray[np.float32]
    face_ids: Ids
    photo_ids: Ids
    #: The largest distance between an embedding and what it was rounded to.
    error: float

    @classmethod
    def rounded(cls, faces: FaceSet) -> "_Block":
        steps = np.abs(faces.embeddings).max(axis=1, initial=0) / np.float32(_LEVELS)
        steps[steps == 0] = 1
        codes = np.rint(faces.embeddings / steps[:, np.newaxis]).astype(np.int8)
        back = codes * steps[:, np.newaxis]
        return cls(
            codes=codes,
            steps=steps,
            squared_lengths=np.einsum("ij,ij->i", back, back),
            face_ids=faces.face_ids,
            photo_ids=faces.photo_ids,
            error=float(np.linalg.norm(back - faces.embeddings, axis=1).max(initial=0)),
        )

    @classmethod
    def joined(cls, blocks: Sequence["_Block"]) -> "_Block":
        return cls(
            codes=np.concatenate([block.codes for block in blocks]),
            steps=np.concatenate([block.steps for block in blocks]),
            squared_lengths=np.concatenate([block.squared_lengths for block in blocks]),
            face_ids=np.concatenate([block.face_ids for block in blocks]),
            photo_ids=np.concatenate([block.photo_ids for block in blocks]),
            error=max(block.error for block in blocks),
        )

    @property
    def nbytes(self) -> int:
        arrays = (self.codes, self.steps, self.squared_lengths, self.face_ids, self.photo_ids)
        return sum(array.nbytes for array in arrays)

    def near(self, selfies: FloatArray, distance: float) -> Ids:
        """Return the ids of the faces that may be within the distance of one of the selfies."""
        products = (self.codes.astype(np.float32) @ selfies.T) * self.steps[:, np.newaxis]
        squared = self.squared_lengths[:, np.newaxis] - 2 * products
        squared += np.einsum("ij,ij->i", selfies, selfies)
        limit = (distance + self.error) ** 2 + _SQUARED_DISTANCE_SLACK
        return self.face_ids[(squared <= limit).any(axis=1)]

    def without(self, photo_ids: Ids) -> "_Block":
        kept = ~np.isin(self.photo_ids, photo_ids)
        if kept.all():
            return self
        return _Block(
            self.codes[kept],
            self.steps[kept],
            self.squared_lengths[kept],
            self.face_ids[kept],
            self.photo_ids[kept],
            self.error,
        )


@dataclass(slots=True)
class EventFaces:
    """The rounded faces of an event's photos."""

    photos: AnalyzedPhotos
    blocks: list[_Block] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        """What they take in memory."""
        own = self.photos.ids.nbytes + self.photos.analyzed_at.nbytes
        return own + sum(block.nbytes for block in self.blocks)

    def add(self, faces: FaceSet) -> None:
        """Keep these faces, too."""
        self.blocks.append(_Block.rounded(faces))
        if len(self.blocks) > MANY_BLOCKS:
            self.blocks = _with_small_ones_joined(self.blocks)

    def drop(self, photo_ids: Ids) -> None:
        """Keep nothing of these photos."""
        self.blocks = [block.without(photo_ids) for block in self.blocks]
        stays = ~np.isin(self.photos.ids, photo_ids)
        self.photos = AnalyzedPhotos(self.photos.ids[stays], self.photos.analyzed_at[stays])

    def near(self, selfies: SelfieSet, distance: float) -> Ids:
        """Return the ids of faces that may be within the distance of a selfie, in order."""
        found = [block.near(selfies.embeddings, distance) for block in self.blocks]
        return np.unique(np.concatenate([np.empty(0, np.int64), *found]))


class Reading:
    """The faces of an event while they are read; made by `KeptFaces.reading`."""

    def __init__(self, photos: AnalyzedPhotos, before: EventFaces, *, forgotten: int) -> None:
        #: What is kept of the event: its blocks are shared, not copied.
        self.before: Final = before
        self.forgotten: Final = forgotten
        #: They will not be kept.
        self.is_given_up = False
        #: Bytes of what is here and not in `before`, granted before it is.
        self.reserved = photos.ids.nbytes + photos.analyzed_at.nbytes
        self._faces = EventFaces(photos, [*before.blocks])

    @property
    def faces(self) -> EventFaces | None:
        """What is to be kept, once all is there."""
        return None if self.is_given_up else self._faces

    def add(self, faces: FaceSet) -> None:
        """Keep a set for which there was room; may be called by a thread."""
        if not self.is_given_up:
            self._faces.add(faces)

    def give_up(self) -> None:
        """Let go of all that was read."""
        self.is_given_up = True
        self._faces = EventFaces(NO_PHOTOS)
        self.reserved = 0


class KeptFaces:
    """The events whose faces are in memory, those that were asked for last.

    With those that are being read they take `max_bytes` at most.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        #: The one that was asked for last is the last.
        self._events: OrderedDict[int, EventFaces] = OrderedDict()
        self._readings: list[Reading] = []
        self._too_large: LRUCache[int, bool] = LRUCache(TOO_LARGE_KEPT)
        #: How often something was forgotten: what is being read meanwhile may be that.
        self.forgotten = 0

    @property
    def nbytes(self) -> int:
        """What all of it takes in memory, with what there is room for already."""
        # By identity: what an event that was dropped has is held by its readings, once.
        held = {id(faces): faces for faces in self._events.values()}
        held |= {id(each.before): each.before for each in self._readings if not each.is_given_up}
        reserved = sum(reading.reserved for reading in self._readings)
        return reserved + sum(faces.nbytes for faces in held.values())

    def of(self, event_id: int) -> EventFaces | None:
        """Return what is kept of the event."""
        faces = self._events.get(event_id)
        if faces is not None:
            self._events.move_to_end(event_id)
        return faces

    def is_worth_keeping(self, event_id: int, photos: AnalyzedPhotos) -> bool:
        """Whether the event is large, and has not turned out to be too large."""
        return len(photos.ids) >= LARGE_EVENT_PHOTOS and event_id not in self._too_large

    @contextmanager
    def reading(
        self, event_id: int, photos: AnalyzedPhotos, before: EventFaces, *, forgotten: int
    ) -> Iterator[Reading]:
        """Add to what was kept of the event; at the block's end it is kept, if it was not given up.

        `forgotten` is what it was before the photos were read.
        """
        reading = Reading(photos, before, forgotten=forgotten)
        if not self.is_worth_keeping(event_id, photos):
            reading.give_up()
        self._readings.append(reading)
        try:
            yield reading
        finally:
            self._readings.remove(reading)
        faces = reading.faces
        if faces is not None and forgotten == self.forgotten:
            self._events.pop(event_id, None)
            self._events[event_id] = faces
            # Before it was read nothing was reserved for its list of photos.
            while self.nbytes > self._max_bytes and self._evict(but=event_id):
                pass

    def reserve(self, event_id: int, reading: Reading, faces: FaceSet) -> None:
        """Have room for a set of faces that is to be added, or have the reading given up.

        Others that were asked for longest ago make room; what is given up is compared, not kept.
        """
        if reading.is_given_up:
            return
        size = _rounded_bytes(faces)
        whole = reading.before.nbytes + reading.reserved + size
        if whole > self._max_bytes:
            self._too_large[event_id] = True
        if whole > self._max_bytes or reading.forgotten != self.forgotten:
            reading.give_up()
            return
        while self.nbytes + size > self._max_bytes:
            if not self._evict():
                reading.give_up()
                return
        reading.reserved += size

    def forget(self, event_id: int, photo_ids: Sequence[int] | None = None) -> None:
        """Drop the faces of photos that are gone, or of an event."""
        self._forget_readings()
        faces = self._events.pop(event_id, None)
        if faces is not None and photo_ids is not None:
            faces.drop(np.array(photo_ids, np.int64))
            self._events[event_id] = faces

    def forget_all(self) -> None:
        """Drop everything."""
        self._forget_readings()
        self._events.clear()

    def knows(self, event_id: int) -> list[int]:
        """Return the ids of the event's faces that are in memory."""
        faces = self._events.get(event_id)
        return [] if faces is None else _joined(block.face_ids for block in faces.blocks)

    def _forget_readings(self) -> None:
        self.forgotten += 1
        for reading in self._readings:
            reading.give_up()

    def _evict(self, *, but: int | None = None) -> bool:
        """Drop what was asked for longest ago; what is being added to would stay in memory."""
        used = {id(each.before) for each in self._readings if not each.is_given_up}
        for event_id, faces in self._events.items():
            if id(faces) not in used and event_id != but:
                del self._events[event_id]
                return True
        return False


def _rounded_bytes(faces: FaceSet) -> int:
    """Return what a set takes once it is rounded: see `_Block`."""
    count, size = faces.embeddings.shape
    return int(count * (size + 2 * 4) + faces.face_ids.nbytes + faces.photo_ids.nbytes)


def _with_small_ones_joined(blocks: Sequence[_Block]) -> list[_Block]:
    """Return the blocks with no more than one that is small: no joined one is much larger."""
    result = [block for block in blocks if len(block.face_ids) >= SMALL_BLOCK_FACES]
    together: list[_Block] = []
    faces = 0
    for block in blocks:
        if len(block.face_ids) >= SMALL_BLOCK_FACES:
            continue
        together.append(block)
        faces += len(block.face_ids)
        if faces >= SMALL_BLOCK_FACES:
            result.append(_Block.joined(together))
            together, faces = [], 0
    if together:
        result.append(_Block.joined(together))
    return result


def _joined(arrays: Iterable[Ids]) -> list[int]:
    return [int(number) for array in arrays for number in array]
