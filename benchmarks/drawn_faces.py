"""Embeddings drawn at random, as far from each other as the embedded engine's are.

0.34 on average between two faces of one person, 0.705 between those of two people, with a
deviation of 0.040. So some strangers are nearly alike, as in an event.
"""

import numpy as np

from services.recognition.engine.face_engine import EMBEDDED, FloatArray

_SAME, _DIFFERENT = 0.12, 0.50  # mean squared distances
#: In so many dimensions distances between people vary as they do between real ones.
_DIMENSIONS = 154


class DrawnFaces:
    """People's embeddings, of which each face's and selfie's is another; the same for a seed."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        square = random.standard_normal((EMBEDDED.embedding_size, _DIMENSIONS))
        self._axes = np.linalg.qr(square)[0].T

    def people(self, count: int) -> FloatArray:
        """People (count, 256): what their faces are around."""
        return self._spread(count, _DIFFERENT - _SAME)

    def faces_of(self, people: FloatArray) -> FloatArray:
        """A face of each (n, 256); of one who is named twice two faces."""
        return people + self._spread(len(people), _SAME)

    def _spread(self, rows: int, squared_distance: float) -> FloatArray:
        values = self._random.standard_normal((rows, _DIMENSIONS)) @ self._axes
        scaled: FloatArray = (values * np.sqrt(squared_distance / 2 / _DIMENSIONS)).astype(
            np.float32
        )
        return scaled
