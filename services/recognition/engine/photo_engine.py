"""What all engines that run on this machine have in common: one photo's way through them.

An engine is a detector, which finds faces, and recognisers: each a cutter, which cuts faces out
upright as aligned chips, and an embedder, which makes embeddings of chips. Those of several
recognisers are joined.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pyvips

from libs.common.workers.stages import stage
from services.recognition.engine import thumbhash
from services.recognition.engine.decode import (
    LONG_SIDE,
    PIXEL_LIMIT,
    SELFIE_LONG_SIDE,
    PhotoScales,
    damaged,
)
from services.recognition.engine.detect.found_face import FaceDetector, LocatedFace, Points, quality
from services.recognition.engine.face_engine import DetectedFace, FloatArray, PhotoAnalysis, Purpose
from services.recognition.engine.thumbnail import thumbnail

# A chip is 150 pixels or less: a face that is smaller than this is cut from a larger picture.
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


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A network, how it wants faces cut out, and what its embeddings count beside others'.

    Joined, the squared distance of two faces is the sum of each network's, times its weight's
    square.
    """

    cutter: ChipCutter
    embedder: FaceEmbedder
    weight: float = 1.0


class PhotoEngine:
    """Decodes, detects and embeds on one thread; one instance per worker process.

    The quality of a face is that of the first recogniser's chip.
    """

    def __init__(
        self,
        detector: FaceDetector,
        recognisers: Sequence[Recogniser],
        *,
        pixel_limit: int = PIXEL_LIMIT,
    ) -> None:
        use_one_thread()
        self._detector = detector
        self._recognisers = recognisers
        self._pixel_limit = pixel_limit

    def analyze(self, path: Path, purpose: Purpose = Purpose.PHOTO) -> PhotoAnalysis:
        """Analyze one picture; raises `UndecodablePhoto` for a file that is none."""
        try:
            return self._analyze(path, purpose)
        # What a picture makes a library of native code refuse, it does every time.
        except (cv2.error, pyvips.Error) as error:
            raise damaged() from error

    def _analyze(self, path: Path, purpose: Purpose) -> PhotoAnalysis:
        with stage("decode"):
            side = LONG_SIDE if purpose is Purpose.PHOTO else SELFIE_LONG_SIDE
            photo = PhotoScales(path, long_side=side, pixel_limit=self._pixel_limit)
        with stage("detect"):
            found = _whole_faces(photo, self._detector.locate(photo))
        with stage("embed"):
            sets = [_chips(photo, found, one.cutter) for one in self._recognisers]
            embeddings = self._joined(sets) if found else ()
        with stage("thumbnail"):
            small = thumbnail(photo.photo) if purpose is Purpose.PHOTO else None
        return PhotoAnalysis(
            width=photo.photo.width,
            height=photo.photo.height,
            placeholder=thumbhash.encode(photo.base),
            thumbnail=small,
            note=photo.photo.note,
            faces=tuple(
                _detected(photo, face, chip, embedding)
                for face, chip, embedding in zip(found, sets[0], embeddings, strict=True)
            ),
        )

    def _joined(self, sets: Sequence[Sequence[FaceChip]]) -> FloatArray:
        """Embeddings (n, d) of faces by their chips for each recogniser."""
        parts = [
            one.embedder.embed(np.stack([chip.pixels for chip in chips])) * np.float32(one.weight)
            for one, chips in zip(self._recognisers, sets, strict=True)
        ]
        return np.concatenate(parts, axis=1)


def _chips(photo: PhotoScales, faces: Sequence[LocatedFace], cutter: ChipCutter) -> list[FaceChip]:
    chips = []
    for face in faces:
        pixels, factor = photo.enlarged(_SMALL_FACE / face.width)
        chips.append(cutter.cut(pixels, face if factor == 1 else face.scaled(factor)))
    return chips


def _whole_faces(photo: PhotoScales, faces: Sequence[LocatedFace]) -> list[LocatedFace]:
    """Leave out faces that reach into what is missing: half a face may be like anybody's."""
    if photo.photo.damage is None:
        return list(faces)
    return [face for face in faces if not _has_blank_line(_cut_out(photo.base, face))]


def _cut_out(pixels: npt.NDArray[np.uint8], face: LocatedFace) -> npt.NDArray[np.uint8]:
    top, left = max(0, int(face.top)), max(0, int(face.left))
    return pixels[top : int(face.top + face.height) + 1, left : int(face.left + face.width) + 1]


def _has_blank_line(pixels: npt.NDArray[np.uint8]) -> bool:
    """Whether a line across or down has one colour: no camera's picture of a face has any."""
    if not pixels.size:
        return False
    across = (pixels == pixels[:, :1]).all(axis=(1, 2))
    down = (pixels == pixels[:1]).all(axis=(0, 2))
    return bool(across.any() or down.any())


def use_one_thread() -> None:
    """One photo per core at a time beats several cores per photo (see docs/design/faces.md)."""
    pyvips.concurrency_set(1)
    cv2.setNumThreads(1)


def open_session(model: bytes | Path) -> ort.InferenceSession:
    """A session on the CPU, on one thread; raises what ONNX Runtime raises for a damaged model.

    Opened as a file, a model takes its size less of memory.
    """
    _share_memory()
    options = ort.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # A plan of memory is kept for each size of picture: 66 MB after 60 photos, and no faster.
    options.enable_mem_pattern = False
    source = str(model) if isinstance(model, Path) else model
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


@cache
def _share_memory() -> None:
    """Have all sessions of the process compute in the same memory: they run one after the other.

    A worker takes 35 MB less, and as long.
    """
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(memory, None)


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
    sharp = quality(chip.pixels, width_px=face.width * photo.own_factor, turn=chip.turn)
    return DetectedFace(
        left=left / columns,
        top=top / rows,
        width=width / columns,
        height=height / rows,
        confidence=face.confidence,
        embedding=embedding,
        quality=sharp if face.is_aligned else 0.0,
        is_aligned=face.is_aligned,
    )
