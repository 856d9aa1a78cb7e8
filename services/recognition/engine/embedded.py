"""The embedded engine: from a photo's file to its faces, with what comes inside pip packages."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips

from services.recognition.engine import thumbhash
from services.recognition.engine.decode import PIXEL_LIMIT, decode
from services.recognition.engine.detector import HogDetector
from services.recognition.engine.dlib_weights import FloatArray
from services.recognition.engine.embedder import Embedder

#: Stored with every face: embeddings of different engines are never compared.
ENGINE_NAME = "embedded"


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """A face: its box in fractions (0..1) of the upright photo, and its embedding."""

    left: float
    top: float
    width: float
    height: float
    confidence: float  # 0..1
    embedding: FloatArray  # (128,)


@dataclass(frozen=True, slots=True)
class PhotoAnalysis:
    """What a photo's file says: its upright size in pixels, a placeholder, and the faces."""

    width: int
    height: int
    placeholder: str  # ThumbHash, base64
    faces: tuple[DetectedFace, ...]


class EmbeddedEngine:
    """Decodes, detects and embeds on one thread; one instance per worker process."""

    def __init__(self, *, model_dir: Path | None = None, pixel_limit: int = PIXEL_LIMIT) -> None:
        """Load the models; `model_dir` caches the converted one (see `default_cache_dir`)."""
        # One photo per core at a time beats several cores per photo; and vips caches operations
        # by file name, which would answer with a temporary file's former content.
        pyvips.vips_lib.vips_concurrency_set(1)
        pyvips.cache_set_max(0)
        self._pixel_limit = pixel_limit
        self._detector = HogDetector()
        self._embedder = Embedder(model_dir)

    def analyze(self, path: Path) -> PhotoAnalysis:
        """Analyze one photo; raises `UndecodablePhoto` for a file that is none."""
        photo = decode(path, pixel_limit=self._pixel_limit)
        rows, columns = photo.pixels.shape[:2]
        found = self._detector.detect(photo.pixels)
        embeddings = self._embedder.embed(
            np.array([face.chip for face in found], np.uint8)
            if found
            else np.empty((0, 0, 0, 3), np.uint8)
        )
        return PhotoAnalysis(
            width=photo.width,
            height=photo.height,
            placeholder=thumbhash.encode(photo.pixels),
            faces=tuple(
                DetectedFace(
                    left=face.left / columns,
                    top=face.top / rows,
                    width=face.width / columns,
                    height=face.height / rows,
                    confidence=face.confidence,
                    embedding=embedding,
                )
                for face, embedding in zip(found, embeddings, strict=True)
            ),
        )
