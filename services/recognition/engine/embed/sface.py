"""SFace: how it wants a face cut out, and its 128-d embeddings in ONNX Runtime, of unit length.

SFace is compared by the cosine; of vectors of unit length the Euclidean distance is a function of
it, so that the matching is the same for every engine.
"""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from services.recognition.engine.detect.found_face import LocatedFace, head_turn
from services.recognition.engine.face_engine import FloatArray
from services.recognition.engine.models.converted import open_converted
from services.recognition.engine.models.files import (
    PACKAGED_SFACE,
    ModelUnusable,
    find_sface,
    read_model,
)
from services.recognition.engine.models.packaged import read_packaged
from services.recognition.engine.models.prelu import convolved
from services.recognition.engine.photo_engine import FaceChip, fit_similarity, open_session

EMBEDDING_SIZE = 128
CHIP_SIZE = 112

# The places of OpenCV's FaceRecognizerSF: right eye, left eye, nose, corners of the mouth.
_PLACES = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]]
)  # fmt: skip

# Raise it when another float32 model comes of the same file: kept ones are then not looked at.
_EXPORT_VERSION = 2


def open_sface(folder: Path) -> "SFaceEmbedder | None":
    """The newest SFace of the model folder, else the packaged one; None where there is neither.

    Raises `ModelUnusable` for a file that is damaged or another model.
    """
    path = find_sface(folder)
    if path is not None:
        return SFaceEmbedder(_opened(path), name=str(path))
    packaged = PACKAGED_SFACE.path()
    if packaged is None:
        return None
    kept = folder / f"sface-v{_EXPORT_VERSION}-{PACKAGED_SFACE.sha256}.onnx"
    session = open_converted(kept, lambda: convolved(read_packaged(packaged, PACKAGED_SFACE)))
    return SFaceEmbedder(session, name=str(packaged))


class SFaceChipCutter:
    """Five landmarks onto fixed places, 112 pixels, as FaceRecognizerSF.alignCrop does."""

    def cut(self, pixels: npt.NDArray[np.uint8], face: LocatedFace) -> FaceChip:
        """Align a face of an RGB picture."""
        turn, shift = fit_similarity(face.landmarks, _PLACES)
        matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
        chip = cv2.warpAffine(pixels, matrix, (CHIP_SIZE, CHIP_SIZE), flags=cv2.INTER_LINEAR)
        right_eye, left_eye, nose = face.landmarks[:3]
        return FaceChip(np.asarray(chip, np.uint8), head_turn(right_eye, left_eye, nose))


class SFaceEmbedder:
    """One session on one thread. The published model takes one face at a time; so it is as fast."""

    def __init__(self, session: ort.InferenceSession, *, name: str) -> None:
        """Take an opened model; raises `ModelUnusable`, with the name, when it is another one."""
        self._session = session
        try:
            (self._input,) = (entry.name for entry in self._session.get_inputs())
            embedding = self._run(np.full((CHIP_SIZE, CHIP_SIZE, 3), 127, np.uint8))
        except Exception as error:
            raise ModelUnusable(f"{name} is not a usable SFace model: {error}") from error
        if embedding.shape != (EMBEDDING_SIZE,):
            raise ModelUnusable(f"{name} makes embeddings of the shape {embedding.shape}")

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


def _opened(path: Path) -> ort.InferenceSession:
    content = read_model(path)
    try:
        return open_session(convolved(content))
    except Exception as error:
        raise ModelUnusable(f"{path} is not a usable SFace model: {error}") from error
