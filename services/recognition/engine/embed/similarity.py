"""How alike two faces are, 0..100, by their Euclidean distance: the same rule for every engine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.recognition.engine.analysis import FloatArray

#: Where every engine's calibration is anchored: two faces so alike are of one person with the same
#: certainty in each. Which similarity an event asks for is a setting; its default is in the schema.
CALIBRATED_SIMILARITY = 85.0

# |a|² + |b|² - 2ab in float32 is wrong by about 1e-6: far less than this slack, within which the
# candidates' distances are computed directly.
_SQUARED_DISTANCE_SLACK = 1e-4


@dataclass(frozen=True, slots=True)
class AlikePairs:
    """Pairs of a selfie (row of the first matrix) and a face (row of the second), each (k,)."""

    selfies: npt.NDArray[np.int64]
    faces: npt.NDArray[np.int64]
    similarities: npt.NDArray[np.float64]


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


def alike_pairs(
    selfies: FloatArray,
    faces: FloatArray,
    calibration: Calibration,
    threshold: float,
) -> AlikePairs:
    """All pairs of `selfies` (n, d) and `faces` (m, d) that are at least `threshold` alike.

    One float32 matrix product, (n, m) in memory; pairs are in the order of the selfies.
    """
    squared = (selfies * np.float32(-2)) @ faces.T
    squared += _squared_lengths(faces)
    squared += _squared_lengths(selfies)[:, np.newaxis]
    rows, columns = np.nonzero(
        squared <= calibration.distance_of(threshold) ** 2 + _SQUARED_DISTANCE_SLACK
    )
    distances = np.linalg.norm(selfies[rows] - faces[columns], axis=1)
    similarities = np.interp(distances, calibration.distances, calibration.similarities)
    enough = similarities >= threshold
    return AlikePairs(rows[enough], columns[enough], similarities[enough])


def to_bytes(embedding: FloatArray) -> bytes:
    """float32, little endian: what the database keeps."""
    if embedding.ndim != 1:
        raise ValueError(f"an embedding has one dimension, not {embedding.ndim}")
    return embedding.astype("<f4").tobytes()


def stacked(embeddings: Sequence[bytes], size: int) -> FloatArray:
    """Kept embeddings, alone or joined, as a matrix (n, size); read-only."""
    matrix = np.frombuffer(b"".join(embeddings), "<f4").astype(np.float32, copy=False)
    return matrix.reshape(-1, size)


def _squared_lengths(embeddings: FloatArray) -> FloatArray:
    lengths: FloatArray = np.einsum("ij,ij->i", embeddings, embeddings)
    return lengths
