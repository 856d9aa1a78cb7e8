"""Compare the embeddings of selfies and of photos' faces: which pairs are alike, and how much."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.recognition.engine.face_engine import Calibration, FloatArray

#: Selfies and faces that are compared at once: 8 MB of similarities, whatever the event.
TILE_SELFIES = 512
TILE_FACES = 4096

# |a|² + |b|² - 2ab in float32 is wrong by about 1e-6: far less than this slack, within which the
# candidates' distances are computed directly.
_SQUARED_DISTANCE_SLACK = 1e-4

Embeddings = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SelfieSet:
    """Selfies to look for: ids and user ids of shape (n,), embeddings of shape (n, d)."""

    selfie_ids: Ids
    user_ids: Ids
    embeddings: Embeddings

    def __len__(self) -> int:
        return len(self.selfie_ids)


@dataclass(frozen=True, slots=True)
class FaceSet:
    """Faces to look at: ids and photo ids of shape (m,), embeddings of shape (m, d)."""

    face_ids: Ids
    photo_ids: Ids
    embeddings: Embeddings

    def __len__(self) -> int:
        return len(self.face_ids)


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """A guest's selfie and a photo, with the face most like it; similarity is 0 to 100."""

    user_id: int
    photo_id: int
    selfie_id: int
    face_id: int
    similarity: float


@dataclass(frozen=True, slots=True)
class AlikePairs:
    """Pairs of a selfie (row of the first matrix) and a face (row of the second), each (k,)."""

    selfies: npt.NDArray[np.int64]
    faces: npt.NDArray[np.int64]
    similarities: npt.NDArray[np.float64]


def best_of_each(found: Iterable[Match]) -> list[Match]:
    """Return the most alike face of each selfie and photo, in order of guest and photo."""
    best: dict[tuple[int, int], Match] = {}
    for match in found:
        key = (match.selfie_id, match.photo_id)
        if key not in best or match.similarity > best[key].similarity:
            best[key] = match
    return sorted(best.values())


def best_matches(
    selfies: SelfieSet, faces: FaceSet, *, threshold: float, calibration: Calibration
) -> list[Match]:
    """Return the best match of each selfie and photo at or above the threshold.

    In order of guest and photo. Memory is that of a tile, and of the pairs that are alike.
    """
    tiles = [*_alike(selfies, faces, threshold, calibration)]
    rows = np.concatenate([np.empty(0, np.int64), *(tile.selfies for tile in tiles)])
    columns = np.concatenate([np.empty(0, np.int64), *(tile.faces for tile in tiles)])
    similarities = np.concatenate([np.empty(0), *(tile.similarities for tile in tiles)])
    user_ids, selfie_ids = selfies.user_ids[rows], selfies.selfie_ids[rows]
    photo_ids, face_ids = faces.photo_ids[columns], faces.face_ids[columns]
    order = np.lexsort((columns, -similarities, selfie_ids, photo_ids, user_ids))
    is_next = np.ones(len(order), np.bool_)
    is_next[1:] = (np.diff(selfie_ids[order]) != 0) | (np.diff(photo_ids[order]) != 0)
    best = order[is_next]
    return [
        Match(*values)
        for values in zip(
            user_ids[best].tolist(),
            photo_ids[best].tolist(),
            selfie_ids[best].tolist(),
            face_ids[best].tolist(),
            similarities[best].tolist(),
            strict=True,
        )
    ]


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


def _alike(
    selfies: SelfieSet, faces: FaceSet, threshold: float, calibration: Calibration
) -> Iterator[AlikePairs]:
    """Yield the pairs of each tile that has any, by their places in the two sets."""
    for row in range(0, len(selfies), TILE_SELFIES):
        for column in range(0, len(faces), TILE_FACES):
            pairs = alike_pairs(
                selfies.embeddings[row : row + TILE_SELFIES],
                faces.embeddings[column : column + TILE_FACES],
                calibration,
                threshold,
            )
            if len(pairs.faces):
                yield AlikePairs(pairs.selfies + row, pairs.faces + column, pairs.similarities)


def _squared_lengths(embeddings: FloatArray) -> FloatArray:
    lengths: FloatArray = np.einsum("ij,ij->i", embeddings, embeddings)
    return lengths
