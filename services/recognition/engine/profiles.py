"""What the rest of the service needs to know of an engine, without loading its models."""

from dataclasses import dataclass

from services.recognition.engine.similarity import DEFAULT_THRESHOLD, Calibration


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """`name` is stored with every face: embeddings of different engines are never compared."""

    name: str
    embedding_size: int
    calibration: Calibration


# dlib's embeddings. On labelled photos of celebrities, the same person's photos are at most 0.53
# apart and different people's at least 0.65; dlib's customary 0.6 is too generous where hundreds
# of guests are compared with each face.
EMBEDDED = EngineProfile(
    "embedded", 128, Calibration((0.0, 0.57, 1.2), (100.0, DEFAULT_THRESHOLD, 0.0))
)

# SFace's embeddings, of unit length: a distance of 1.10 is a cosine of 0.40. OpenCV publishes 0.363
# as the most accurate cosine on LFW; the stricter one is for many comparisons per face.
OPENCV = EngineProfile("opencv", 128, Calibration((0.0, 1.1, 2.0), (100.0, DEFAULT_THRESHOLD, 0.0)))

PROFILES = {profile.name: profile for profile in (EMBEDDED, OPENCV)}
