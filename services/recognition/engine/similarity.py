"""How alike two faces are, 0..100, and which faces are whose.

dlib's embeddings are compared by Euclidean distance; they are not of unit length.
"""

from dataclasses import dataclass

import numpy as np

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
class Match:
    """A selfie (row of the first matrix) and the face (row of the second) most like it."""

    selfie: int
    face: int
    similarity: float


def similarity(distance: float) -> float:
    """0..100, falling with the distance; 85 is a distance of 0.57."""
    return float(np.interp(distance, _DISTANCES, _SIMILARITIES))


def distance_of(similarity: float) -> float:
    """The largest distance that still has this similarity."""
    return float(np.interp(similarity, _SIMILARITIES[::-1], _DISTANCES[::-1]))


def match(
    selfies: FloatArray, faces: FloatArray, threshold: float = DEFAULT_THRESHOLD
) -> list[Match]:
    """For each of `selfies` (n, 128) the best of `faces` (m, 128), if at least `threshold` alike.

    One float32 matrix product, (n, m) in memory; selfies without such a face are left out.
    """
    if not len(selfies) or not len(faces):
        return []
    # |selfie|² is the same for all of a selfie's faces: it is added to the winners only.
    partial = selfies @ (faces.T * np.float32(-2))
    partial += _squared_lengths(faces)
    best = partial.argmin(axis=1)
    squared = partial[np.arange(len(selfies)), best] + _squared_lengths(selfies)

    limit = distance_of(threshold) ** 2 + _SQUARED_DISTANCE_SLACK
    candidates = np.flatnonzero(squared <= limit)
    distances = np.linalg.norm(selfies[candidates] - faces[best[candidates]], axis=1)
    similarities = np.interp(distances, _DISTANCES, _SIMILARITIES)
    return [
        Match(int(selfie), int(best[selfie]), float(alike))
        for selfie, alike in zip(candidates, similarities, strict=True)
        if alike >= threshold
    ]


def similarity_matrix(selfies: FloatArray, faces: FloatArray) -> FloatArray:
    """Return the similarity of each of `selfies` (n, 128) with each of `faces` (m, 128): (n, m)."""
    squared = selfies @ (faces.T * np.float32(-2))
    squared += _squared_lengths(faces)
    squared += _squared_lengths(selfies)[:, None]
    distances = np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
    return np.interp(distances, _DISTANCES, _SIMILARITIES).astype(np.float32)


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
