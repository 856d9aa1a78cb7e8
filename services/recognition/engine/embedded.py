"""The embedded engine: from a photo's file to its faces, with what comes inside pip packages."""

from pathlib import Path

import numpy as np
import pyvips

from services.recognition.engine import thumbhash
from services.recognition.engine.analysis import DetectedFace, PhotoAnalysis
from services.recognition.engine.decode import PIXEL_LIMIT, decode
from services.recognition.engine.detector import HogDetector
from services.recognition.engine.embedder import Embedder


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
