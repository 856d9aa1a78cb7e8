"""What all engines that run on this machine have in common: one photo's way through them.

An engine is a detector, which finds faces, a cutter, which cuts them out upright as aligned chips,
and an embedder, which makes embeddings of chips.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pyvips

from libs.common.workers.stages import stage
from services.recognition.engine import thumbhash
from services.recognition.engine.decode import PIXEL_LIMIT, PhotoScales
from services.recognition.engine.detect.found_face import FaceDetector, LocatedFace, Points, quality
from services.recognition.engine.face_engine import DetectedFace, FloatArray, PhotoAnalysis

# A chip is 150 pixels or less: a face that is smaller than that is cut from the larger picture.
_SMALL_FACE = 100.0


@dataclass(frozen=True, slots=True)
class FaceChip:
    """An aligned square chip, RGB, and how far the head is turned (see `head_turn`)."""

    pixels: npt.NDArray[np.uint8]
    turn: float


class ChipCutter(Protocol):
    """Cuts faces out as its embedder was trained on them."""

    def cut(self, pixels: npt.NDArray[np.uint8], face: LocatedFace) -> FaceChip:
        """Align a face of an RGB picture."""
        ...


class FaceEmbedder(Protocol):
    """Makes embeddings (n, d) of chips (n, side, side, 3)."""

    def embed(self, chips: npt.NDArray[np.uint8]) -> FloatArray: ...


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


def open_session(model: bytes) -> ort.InferenceSession:
    """A session on the CPU, on one thread; raises what ONNX Runtime raises for a damaged model."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def fit_similarity(source: Points, target: Points) -> tuple[complex, complex]:
    """The turn, scale and shift that take points (n, 2) onto others best, in least squares.

    They are `turn * (x + iy) + shift`, never a mirror image. Umeyama's problem, which complex
    numbers make linear.
    """
    before, after = (points[:, 0] + 1j * points[:, 1] for points in (source, target))
    centred = before - before.mean()
    turn = np.vdot(centred, after - after.mean()) / np.vdot(centred, centred)
    return complex(turn), complex(after.mean() - turn * before.mean())


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
