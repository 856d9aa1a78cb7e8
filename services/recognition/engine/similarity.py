"""How alike two faces are, 0..100, and which faces are whose.

dlib's embeddings are compared by Euclidean distance; they are not of unit length.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.recognition.engine.dlib_weights import EMBEDDING_SIZE, FloatArray

DEFAULT_THRESHOLD = 85.0

# The calibration: (distance, similarity), straight lines between. On labelled photos of
# celebrities, the same person's photos are at most 0.53 apart and different people's at least
# 0.65; dlib's customary 0.6 is too generous where hundreds of guests are compared with each face.
_DISTANCES = (0.0, 0.57, 1.2)
_SIMILARITIES = (100.0, DEFAULT_THRESHOLD, 0.0)

# |a|² + |b|² - 2ab in float32 is wrong by about 1e-6: far less than this slack, within which the
# candidates' distances are computed directly.
_SQUARED_DISTANCE_SLACK = 1e-4


@dataclass(frozen=True, slots=True)
class AlikePairs:
    """Pairs of a selfie (row of the first matrix) and a face (row of the second), each (k,)."""

    selfies: npt.NDArray[np.int64]
    faces: npt.NDArray[np.int64]
    similarities: npt.NDArray[np.float64]


def similarity(distance: float) -> float:
    """0..100, falling with the distance; 85 is a distance of 0.57."""
    return float(np.interp(distance, _DISTANCES, _SIMILARITIES))


def distance_of(similarity: float) -> float:
    """The largest distance that still has this similarity."""
    return float(np.interp(similarity, _SIMILARITIES[::-1], _DISTANCES[::-1]))


def alike_pairs(
    selfies: FloatArray, faces: FloatArray, threshold: float = DEFAULT_THRESHOLD
) -> AlikePairs:
    """All pairs of `selfies` (n, 128) and `faces` (m, 128) that are at least `threshold` alike.

    One float32 matrix product, (n, m) in memory; pairs are in the order of the selfies.
    """
    squared = selfies @ (faces.T * np.float32(-2))
    squared += _squared_lengths(faces)
    squared += _squared_lengths(selfies)[:, np.newaxis]
    rows, columns = np.nonzero(squared <= distance_of(threshold) ** 2 + _SQUARED_DISTANCE_SLACK)
    distances = np.linalg.norm(selfies[rows] - faces[columns], axis=1)
    similarities = np.interp(distances, _DISTANCES, _SIMILARITIES)
    enough = similarities >= threshold
    return AlikePairs(rows[enough], columns[enough], similarities[enough])


def to_bytes(embedding: FloatArray) -> bytes:
    """128 float32, little endian: what the database keeps."""
    if embedding.shape != (EMBEDDING_SIZE,):
        raise ValueError(f"an embedding has {EMBEDDING_SIZE} numbers, not {embedding.shape}")
    return embedding.astype("<f4").tobytes()


def from_bytes(data: bytes) -> FloatArray:
    """The inverse of `to_bytes`; read-only."""
    if len(data) != 4 * EMBEDDING_SIZE:
        raise ValueError(f"an embedding has {4 * EMBEDDING_SIZE} bytes, not {len(data)}")
    return np.frombuffer(data, "<f4").astype(np.float32, copy=False)


def _squared_lengths(embeddings: FloatArray) -> FloatArray:
    lengths: FloatArray = np.einsum("ij,ij->i", embeddings, embeddings)
    return lengths
