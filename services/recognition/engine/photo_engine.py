"""What all engines that run on this machine have in common: one photo's way through them."""

from pathlib import Path

import cv2
import numpy as np
import pyvips

from libs.common.workers.process import stage
from services.recognition.engine.analysis import DetectedFace, FloatArray, PhotoAnalysis
from services.recognition.engine.decode import thumbhash
from services.recognition.engine.decode.decode import PIXEL_LIMIT
from services.recognition.engine.decode.photo_scales import PhotoScales
from services.recognition.engine.detect.located_face import FaceDetector, LocatedFace
from services.recognition.engine.detect.quality import quality
from services.recognition.engine.embed.chips import ChipCutter, FaceChip, FaceEmbedder

# A chip is 150 pixels or less: a face that is smaller than that is cut from the larger picture.
_SMALL_FACE = 100.0


class PhotoEngine:
    """Decodes, detects and embeds on one thread; one instance per worker process."""

    def __init__(
        self,
        detector: FaceDetector,
        cutter: ChipCutter,
        embedder: FaceEmbedder,
        *,
        pixel_limit: int = PIXEL_LIMIT,
    ) -> None:
        use_one_thread()
        self._detector = detector
        self._cutter = cutter
        self._embedder = embedder
        self._pixel_limit = pixel_limit

    def analyze(self, path: Path) -> PhotoAnalysis:
        """Analyze one photo; raises `UndecodablePhoto` for a file that is none."""
        with stage("decode"):
            photo = PhotoScales(path, pixel_limit=self._pixel_limit)
        with stage("detect"):
            found = self._detector.locate(photo)
        with stage("embed"):
            chips = [self._chip(photo, face) for face in found]
            embeddings = self._embedder.embed(
                np.array([chip.pixels for chip in chips], np.uint8)
                if chips
                else np.empty((0, 0, 0, 3), np.uint8)
            )
        return PhotoAnalysis(
            width=photo.photo.width,
            height=photo.photo.height,
            placeholder=thumbhash.encode(photo.base),
            faces=tuple(
                _detected(photo, face, chip, embedding)
                for face, chip, embedding in zip(found, chips, embeddings, strict=True)
            ),
        )

    def _chip(self, photo: PhotoScales, face: LocatedFace) -> FaceChip:
        if face.width >= _SMALL_FACE or photo.fine_factor <= 1:
            return self._cutter.cut(photo.base, face)
        return self._cutter.cut(photo.fine, face.scaled(photo.fine_factor))


def use_one_thread() -> None:
    """One photo per core at a time beats several cores per photo (see ARCHITECTURE.md)."""
    pyvips.vips_lib.vips_concurrency_set(1)
    # vips caches operations by file name, and would answer with a temporary file's former content.
    pyvips.cache_set_max(0)
    cv2.setNumThreads(1)


def _detected(
    photo: PhotoScales, face: LocatedFace, chip: FaceChip, embedding: FloatArray
) -> DetectedFace:
    rows, columns = photo.base.shape[:2]
    left, top, width, height = face.clipped(columns, rows)
    return DetectedFace(
        left=left / columns,
        top=top / rows,
        width=width / columns,
        height=height / rows,
        confidence=face.confidence,
        embedding=embedding,
        quality=quality(chip.pixels, width_px=face.width * photo.own_factor, turn=chip.turn),
    )
