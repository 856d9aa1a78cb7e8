"""Which guest is in which photo: a pure rule over embeddings."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.recognition.engine.similarity import Calibration, alike_pairs

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
    """A guest in a photo, with the face that shows them best; similarity is 0 to 100."""

    user_id: int
    photo_id: int
    selfie_id: int
    face_id: int
    similarity: float


def best_matches(
    selfies: SelfieSet, faces: FaceSet, *, threshold: float, calibration: Calibration
) -> list[Match]:
    """Return the best match of each (guest, photo) at or above the threshold, in that order.

    One matrix product of (n, d) and (d, m); memory is n x m float32.
    """
    pairs = alike_pairs(selfies.embeddings, faces.embeddings, calibration, threshold)
    best: dict[tuple[int, int], Match] = {}
    for row, column, similarity in zip(
        pairs.selfies.tolist(), pairs.faces.tolist(), pairs.similarities.tolist(), strict=True
    ):
        match = Match(
            user_id=int(selfies.user_ids[row]),
            photo_id=int(faces.photo_ids[column]),
            selfie_id=int(selfies.selfie_ids[row]),
            face_id=int(faces.face_ids[column]),
            similarity=similarity,
        )
        key = (match.user_id, match.photo_id)
        if key not in best or match.similarity > best[key].similarity:
            best[key] = match
    return sorted(best.values())
