"""What a face engine is to the rest of the service; importing it loads no model.

What it makes of a photo, and its profile (its name, how alike two of its embeddings are, and how
embeddings are kept).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from libs.common.images.known_good import KNOWN_GOOD

FloatArray = npt.NDArray[np.float32]

#: Where every engine's calibration is anchored: two faces so alike are of one person with the same
#: certainty in each. Which similarity an event asks for is a setting; its default is in the schema.
CALIBRATED_SIMILARITY = 85.0


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


@dataclass(frozen=True, slots=True)
class PhotoAnalysis:
    """What is found in a photo: its upright size in pixels, a placeholder, and the faces."""

    width: int
    height: int
    placeholder: str  # ThumbHash, base64
    faces: tuple[DetectedFace, ...]


class Engine(Protocol):
    """What runs inside a worker."""

    def analyze(self, path: Path) -> PhotoAnalysis:
        """Analyze one photo; raises PermanentError for a file that is none."""
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
    """`name` is stored with every face: embeddings of different engines are never compared."""

    name: str
    embedding_size: int
    calibration: Calibration


# dlib's embeddings. 240 distances between different people, of photos of celebrities, are normal
# with mean 0.845 and deviation 0.081: at 0.54 the fitted tail is a false match rate of 1e-4. The
# same people's photos are at most 0.53 apart. ARCHITECTURE.md says how sure that is.
EMBEDDED = EngineProfile(
    "embedded", 128, Calibration((0.0, 0.54, 1.2), (100.0, CALIBRATED_SIMILARITY, 0.0))
)

# SFace's embeddings, of unit length: a distance of 1.10 is a cosine of 0.40. OpenCV publishes 0.363
# as the most accurate cosine on LFW; the stricter one is for many comparisons per face. Not fitted
# here: the weights were not at hand. `python -m benchmarks.accuracy --engine opencv` measures it.
OPENCV = EngineProfile(
    "opencv", 128, Calibration((0.0, 1.1, 2.0), (100.0, CALIBRATED_SIMILARITY, 0.0))
)

PROFILES = {profile.name: profile for profile in (EMBEDDED, OPENCV)}


def to_bytes(embedding: FloatArray) -> bytes:
    """float32, little endian: what the database keeps."""
    if embedding.ndim != 1:
        raise ValueError(f"an embedding has one dimension, not {embedding.ndim}")
    return embedding.astype("<f4").tobytes()


def stacked(embeddings: Sequence[bytes], size: int) -> FloatArray:
    """Kept embeddings, alone or joined, as a matrix (n, size); read-only."""
    matrix = np.frombuffer(b"".join(embeddings), "<f4").astype(np.float32, copy=False)
    return matrix.reshape(-1, size)


#: Makes the face engine of a worker; picklable.
EngineFactory = Callable[[], Engine]


def do_known_good(work: Callable[[Path], object]) -> None:
    """What shows that a worker is well."""
    work(KNOWN_GOOD)


def analyze_with(engine_factory: EngineFactory) -> Callable[[Path], PhotoAnalysis]:
    """Load the engine in its worker; raises what the factory raises."""
    return engine_factory().analyze
