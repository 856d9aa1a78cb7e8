"""What a face engine is to the rest of the service; importing it loads no model.

What it makes of a photo, and its profile (what its embeddings are called, how alike two of them
are, and how they are kept).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from libs.common.errors import PermanentError
from libs.common.images.known_good import KNOWN_GOOD
from libs.common.workers.serving import Certain

FloatArray = npt.NDArray[np.float32]

_KEPT = np.dtype("<f2")

#: Where every engine's calibration is anchored: two faces so alike are of one person with the same
#: certainty in each. Which similarity an event asks for is a setting; its default is in the schema.
CALIBRATED_SIMILARITY = 85.0

#: Faces below it are kept but not matched (measured, see `found_face`).
MIN_QUALITY = 0.12


class UndecodablePhoto(PermanentError):
    """The file is no photo that can be shown; the message is a sentence for its owner."""


class RefusedPhoto(UndecodablePhoto, Certain):
    """It is not even given to a decoder."""


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """A face: its box in fractions (0..1) of the upright photo, and its embedding."""

    left: float
    top: float
    width: float
    height: float
    confidence: float  # 0..1
    embedding: FloatArray  # (d,), d is the engine's
    #: 0..1, see `found_face.quality`: below MIN_QUALITY a face says too little about who it is.
    quality: float = 1.0
    #: Whether it is known which way up it is; else its embedding says nothing, its quality is 0.
    is_aligned: bool = True


@dataclass(frozen=True, slots=True)
class PhotoAnalysis:
    """What is found in a photo: its upright size in pixels, a placeholder, and the faces."""

    width: int
    height: int
    placeholder: str  # ThumbHash, base64
    faces: tuple[DetectedFace, ...]
    #: As guests get it; None where it is left to who makes renditions (see `thumbnail`).
    thumbnail: bytes | None = None
    #: What the photographer is told of a picture of which not all could be read.
    note: str | None = None


class Purpose(Enum):
    """What a picture is analysed for: a photo gets a thumbnail, too."""

    PHOTO = auto()
    SELFIE = auto()


class Engine(Protocol):
    """What runs inside a worker."""

    def analyze(self, path: Path, purpose: Purpose = Purpose.PHOTO) -> PhotoAnalysis:
        """Analyze one picture; raises PermanentError for a file that is none."""
        ...


@dataclass(frozen=True, slots=True)
class Calibration:
    """An engine's points (distance, similarity), distances rising; straight lines between.

    Fitted so that the same similarity means the same care in every engine.
    """

    distances: tuple[float, ...]
    similarities: tuple[float, ...]

    def similarity(self, distance: float) -> float:
        """0..100, falling with the distance."""
        return float(np.interp(distance, self.distances, self.similarities))

    def distance_of(self, similarity: float) -> float:
        """The largest distance that still has this similarity."""
        return float(np.interp(similarity, self.similarities[::-1], self.distances[::-1]))


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """What the embeddings of an engine are, to whoever stores and compares them.

    `name` is stored with every face. It says what made the numbers (the detector, the networks,
    and a version), not what an operator chose: embeddings of two names are never compared, and
    those of another name are made anew in the background (`reindex`). So the version is raised
    with whatever makes other numbers of the same face: how it is found and cut out, the networks,
    how their numbers are put together. A calibration alone changes none.
    """

    name: str
    embedding_size: int
    calibration: Calibration


#: What dlib's and SFace's embeddings count, joined. SFace's, of unit length, have 0.6 times the
#: weight of dlib's: a little more or less changes nothing. Both are scaled so that the distance of
#: two faces that are as alike as is asked for usually stays 0.54, as it was with dlib's alone.
DLIB_WEIGHT, SFACE_WEIGHT = 0.6, 0.36

# 246 distances between different people, of photos of celebrities, are normal with mean 0.705 and
# deviation 0.040: 0.54 is 4.1 deviations below. Where one of the two photos is blurred, dark,
# tilted or of 36 pixels, it is 3.8 or more: a false match rate of 6e-5 by the fitted tail. The
# same people's photos are at most 0.47 apart, those at most 0.50. docs/design/faces.md says how
# sure that is, and what dlib's alone came to.
EMBEDDED = EngineProfile(
    "yunet-dlib-sface-1", 256, Calibration((0.0, 0.54, 0.9), (100.0, CALIBRATED_SIMILARITY, 0.0))
)

# SFace's embeddings, of unit length. 124 distances between different people, of photos of
# celebrities, have mean 1.337 and deviation 0.065: 1.09 is 3.8 deviations below. The same people's
# photos are at most 0.97 apart. It is a cosine of 0.41; OpenCV publishes 0.363 as the most accurate
# one on LFW, for fewer comparisons per face.
OPENCV = EngineProfile(
    "yunet-sface-1", 128, Calibration((0.0, 1.09, 2.0), (100.0, CALIBRATED_SIMILARITY, 0.0))
)

#: By provider, as an operator chooses it.
PROFILES = {"embedded": EMBEDDED, "opencv": OPENCV}
#: Whose embeddings are ours to store and compare.
ENGINE_NAMES = frozenset(profile.name for profile in PROFILES.values())


def to_bytes(embedding: FloatArray) -> bytes:
    """Half precision, little endian: what the database keeps.

    Rounding moves an embedding by 1.5e-4, where faces of different people are 0.7 apart, give or
    take 0.04; and 256 numbers take the room of 128.
    """
    if embedding.ndim != 1:
        raise ValueError(f"an embedding has one dimension, not {embedding.ndim}")
    return embedding.astype(_KEPT).tobytes()


def stacked(embeddings: Sequence[bytes], size: int) -> FloatArray:
    """Kept embeddings, alone or joined, as a matrix (n, size)."""
    matrix = np.frombuffer(b"".join(embeddings), _KEPT).astype(np.float32)
    return matrix.reshape(-1, size)


#: Makes the face engine of a worker; picklable.
EngineFactory = Callable[[], Engine]


def do_known_good(work: Callable[[Path, Purpose], object]) -> None:
    """What shows that a worker is well."""
    work(KNOWN_GOOD, Purpose.SELFIE)


def analyze_with(engine_factory: EngineFactory) -> Callable[[Path, Purpose], PhotoAnalysis]:
    """Load the engine in its worker; raises what the factory raises."""
    return engine_factory().analyze
