"""Which guest is in which photo: a pure rule over embeddings."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.recognition.engine.embed.similarity import Calibration, alike_pairs

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

    One matrix product of (n, d) and (d, m); memory is n x m float32.
    """
    pairs = alike_pairs(selfies.embeddings, faces.embeddings, calibration, threshold)
    return best_of_each(
        Match(
            user_id=int(selfies.user_ids[row]),
            photo_id=int(faces.photo_ids[column]),
            selfie_id=int(selfies.selfie_ids[row]),
            face_id=int(faces.face_ids[column]),
            similarity=similarity,
        )
        for row, column, similarity in zip(
            pairs.selfies.tolist(), pairs.faces.tolist(), pairs.similarities.tolist(), strict=True
        )
    )
