"""128-d face embeddings by SFace in ONNX Runtime, of unit length.

SFace is compared by the cosine; of vectors of unit length the Euclidean distance is a function of
it, so that the matching is the same for every engine.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.recognition.engine.embed.sface_chips import CHIP_SIZE
from services.recognition.engine.models.dlib_weights import FloatArray, ModelUnusable
from services.recognition.engine.models.sessions import open_session

EMBEDDING_SIZE = 128


class SFaceEmbedder:
    """One session on one thread. The published model takes one face at a time."""

    def __init__(self, model: Path) -> None:
        """Load the model's file; raises `ModelUnusable` when it is damaged or another one."""
        try:
            self._session = open_session(model.read_bytes())
            (self._input,) = (entry.name for entry in self._session.get_inputs())
            embedding = self._run(np.full((CHIP_SIZE, CHIP_SIZE, 3), 127, np.uint8))
        except Exception as error:
            raise ModelUnusable(f"{model} is not a usable SFace model: {error}") from error
        if embedding.shape != (EMBEDDING_SIZE,):
            raise ModelUnusable(f"{model} makes embeddings of the shape {embedding.shape}")

    def embed(self, chips: npt.NDArray[np.uint8]) -> FloatArray:
        """Embeddings (n, 128) of aligned RGB chips (n, 112, 112, 3)."""
        if not len(chips):
            return np.empty((0, EMBEDDING_SIZE), np.float32)
        raw = np.stack([self._run(chip) for chip in chips])
        lengths = np.linalg.norm(raw, axis=1, keepdims=True)
        return np.asarray(raw / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)

    def _run(self, chip: npt.NDArray[np.uint8]) -> FloatArray:
        # The network scales the pixels itself: 0 to 255, red first.
        blob = np.ascontiguousarray(chip.transpose(2, 0, 1)[np.newaxis], np.float32)
        embedding: FloatArray = self._session.run(None, {self._input: blob})[0][0]
        return embedding
