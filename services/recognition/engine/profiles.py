"""What the rest of the service needs to know of an engine, without loading its models."""

from dataclasses import dataclass

from services.recognition.engine.embed.similarity import CALIBRATED_SIMILARITY, Calibration


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
