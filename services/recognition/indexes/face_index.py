"""The interface by which photos and selfies are indexed, and matched with each other.

Four words that are close to each other: the *provider* is the setting FACE_RECOGNIZER_PROVIDER,
one of three names. It chooses the *index*, which finds, keeps and compares faces: `EmbeddedIndex`
for `embedded` and `opencv`, `RekognitionIndex` for `rekognition`. An *engine* finds and embeds the
faces of one picture; `EmbeddedIndex` runs one in worker processes, and the *profile*
(`engine/face_engine.py`) is what it has to know of that engine. The engine's name, which is stored
with every face in columns called `engine`, says what made a face's numbers: a release that makes
other numbers gives it another name, while the provider stays what it is.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.recognition.matching.compare import Match


@dataclass(frozen=True, slots=True)
class PhotoKey:
    """A photo of an event."""

    event_id: int
    photo_id: int


@dataclass(frozen=True, slots=True)
class SelfieKey:
    """A guest's selfie in one event."""

    event_id: int
    user_id: int
    selfie_id: int


@dataclass(frozen=True, slots=True)
class FaceKey:
    """What a face is found by: an embedding that is ours, or a service's id of the face."""

    embedding: bytes | None = None
    external_face_id: str | None = None


@dataclass(frozen=True, slots=True)
class IndexedFace:
    """A face of a photo: its box in fractions (0..1) of the upright photo, and its key."""

    left: float
    top: float
    width: float
    height: float
    confidence: float  # 0..1
    quality: float  # 0..1
    key: FaceKey


@dataclass(frozen=True, slots=True)
class IndexedPhoto:
    """What is found in a photo: its upright size in pixels, a placeholder, and the faces."""

    width: int
    height: int
    placeholder: str  # ThumbHash, base64
    faces: tuple[IndexedFace, ...]
    #: As guests get it, or None.
    thumbnail: bytes | None = None
    #: What the photographer is told of a picture of which not all could be read.
    note: str | None = None


class FaceIndex(Protocol):
    """Indexes and matches faces. Those of different engines are never compared."""

    @property
    def name(self) -> str:
        """What is stored with every face."""
        ...

    @property
    def photos_at_once(self) -> int:
        """How many photos are worth having in hand at the same time."""
        ...

    async def index_photo(self, photo: PhotoKey, path: Path) -> IndexedPhoto:
        """Find the photo's faces. Raises PermanentError for a file that is no photo."""
        ...

    async def index_selfie(self, selfie: SelfieKey, path: Path) -> FaceKey:
        """Find the guest's face. Raises PermanentError, with a sentence for the guest."""
        ...

    async def remove_leftovers(
        self, of: PhotoKey | SelfieKey, keys: Sequence[FaceKey], *, is_repeat: bool
    ) -> None:
        """Remove the faces that earlier attempts indexed for this photo or selfie.

        `keys` are the faces that were committed: they stay. `is_repeat` says that an earlier
        attempt may have indexed faces and not committed them.
        """
        ...

    def match(
        self,
        event_id: int,
        *,
        photo_ids: Sequence[int] = (),
        selfie_ids: Sequence[int] = (),
        threshold: float,
    ) -> AsyncGenerator[list[Match], None]:
        """Yield who is in these photos, and the photos that these selfies' guests are in.

        The caller has committed the faces of all of them. The other side is read afterwards,
        so that of a photo and a selfie indexed at the same time the later one meets the other.
        """
        ...

    def forget(self, event_id: int, selfie_id: int | None = None) -> None:
        """Drop what is held in memory of a selfie whose row is gone, or of a whole event."""
        ...

    def forget_photo(self, event_id: int, photo_id: int) -> None:
        """Drop what is held in memory of the faces of a photo whose row is gone."""
        ...

    def forget_all(self) -> None:
        """Drop everything that is held in memory of selfies."""
        ...
