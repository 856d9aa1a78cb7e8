"""dlib's ResNet: how it wants a face cut out, and its 128-d embeddings by ONNX Runtime.

The embeddings are dlib's own numbers, about 20 times faster. The converted model is made at first
use, compared with dlib there and then, and cached on disk.
"""

import hashlib
import math
from pathlib import Path

import dlib
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from services.recognition.engine.detect.found_face import LocatedFace, Points, head_turn
from services.recognition.engine.face_engine import FloatArray
from services.recognition.engine.models import dlib_weights, onnx_export
from services.recognition.engine.models.converted import open_converted
from services.recognition.engine.models.dlib_weights import EMBEDDING_SIZE
from services.recognition.engine.models.files import ModelUnusable, default_model_dir, dlib_file
from services.recognition.engine.models.onnx_export import CHIP_SIZE
from services.recognition.engine.photo_engine import FaceChip, fit_similarity

ChipArray = npt.NDArray[np.uint8]

MODEL_NAME = "dlib_face_recognition_resnet_model_v1.dat"
MAX_DIFFERENCE = 1e-4  # measured: 3e-7

# Raise it when the exported graph changes: caches of older versions are then not looked at.
_EXPORT_VERSION = 1
# Bounds the activations' memory (about 6 MB a chip); larger batches are not faster per chip.
_BATCH = 8

_LANDMARKS_MODEL = "shape_predictor_5_face_landmarks.dat"
_CHIP_PADDING = 0.25  # what the embedding network was trained with

# Where YuNet's landmarks and HOG's box are in dlib's chips: medians of 69 faces, of celebrities
# and composed. The box's centre and side; the predictor was trained on such boxes.
_LANDMARKS_IN_CHIP = np.array(
    [[47.3, 45.8], [101.7, 46.2], [74.2, 77.3], [50.1, 100.0], [98.8, 100.4]]
)
_BOX_CENTRE_IN_CHIP = np.array([73.8, 76.3])
_BOX_SIDE_IN_CHIP = 127.0

# The upright cut-out in which the predictor works: larger than the chip, on finer pixels.
_CUT_OUT_SHARE = 1.6
_CUT_OUT_ZOOM = 1.5


class DlibChipCutter:
    """Cuts chips (150, 150, 3); raises `ModelUnusable` without dlib's landmark model."""

    def __init__(self) -> None:
        self._predictor = dlib.shape_predictor(str(dlib_file(_LANDMARKS_MODEL)))

    def cut(self, pixels: npt.NDArray[np.uint8], face: LocatedFace) -> FaceChip:
        """Align a face of an RGB picture.

        The final alignment is always by dlib's own landmarks. Measured on YuNet's finds: the
        embeddings are 0.05 (median) from those of dlib's own detection; aligned by YuNet's
        landmarks alone they would be 0.15 off. A head that lies on its side is turned upright
        first: at 40 degrees the distance stays 0.04, at 60 degrees 0.06.
        """
        upright, box = _upright(pixels, face.landmarks)
        shape = self._predictor(upright, box)
        chip = dlib.get_face_chip(upright, shape, CHIP_SIZE, _CHIP_PADDING)
        parts = np.array([(part.x, part.y) for part in shape.parts()], np.float64)
        # dlib's order: the left eye's corners, the right eye's corners, the base of the nose.
        turn = head_turn(parts[2:4].mean(axis=0), parts[0:2].mean(axis=0), parts[4])
        return FaceChip(chip, turn)


class DlibEmbedder:
    """One ONNX Runtime session on one thread: parallelism comes from worker processes."""

    def __init__(self, cache_dir: Path | None = None) -> None:
        """Load the converted model, converting it first where the cache has none.

        Raises `ModelUnusable` when the weights are missing or the conversion is not faithful.
        """
        self._session = _load_or_convert(cache_dir or default_model_dir())

    def embed(self, chips: ChipArray) -> FloatArray:
        """Embeddings (n, 128) of aligned RGB chips (n, 150, 150, 3)."""
        if not len(chips):
            return np.empty((0, EMBEDDING_SIZE), np.float32)
        return _run(self._session, chips)


def check_against_dlib(session: ort.InferenceSession, weights: Path) -> None:
    """Refuse a session whose embeddings are not dlib's own."""
    chips = _probe_chips()
    reference = dlib.face_recognition_model_v1(str(weights))
    expected = np.array([reference.compute_face_descriptor(chip) for chip in chips])
    difference = float(np.abs(_run(session, chips) - expected).max())
    # Written so that NaN is refused too.
    if not difference < MAX_DIFFERENCE:
        raise ModelUnusable(
            f"the converted face model differs from dlib by {difference:.2g} "
            f"(allowed: {MAX_DIFFERENCE:g}); it is not used"
        )


def _upright(
    pixels: npt.NDArray[np.uint8], landmarks: Points
) -> tuple[npt.NDArray[np.uint8], dlib.rectangle]:
    """The face turned upright at a standard size, and HOG's usual box in it."""
    turn, shift = fit_similarity(_LANDMARKS_IN_CHIP, landmarks)
    middle = turn * complex(CHIP_SIZE / 2, CHIP_SIZE / 2) + shift
    half = abs(turn) * CHIP_SIZE * _CUT_OUT_SHARE / 2
    side = round(CHIP_SIZE * _CUT_OUT_SHARE * _CUT_OUT_ZOOM)
    area = dlib.drectangle(
        middle.real - half, middle.imag - half, middle.real + half, middle.imag + half
    )
    angle = math.atan2(turn.imag, turn.real)
    details = dlib.chip_details(area, dlib.chip_dims(side, side), angle)
    cut_out = dlib.extract_image_chip(pixels, details)
    margin = (_CUT_OUT_SHARE - 1) / 2 * CHIP_SIZE
    low = (_BOX_CENTRE_IN_CHIP - _BOX_SIDE_IN_CHIP / 2 + margin) * _CUT_OUT_ZOOM
    high = low + _BOX_SIDE_IN_CHIP * _CUT_OUT_ZOOM
    return cut_out, dlib.rectangle(*(int(value) for value in (*low, *high)))


def _load_or_convert(cache_dir: Path) -> ort.InferenceSession:
    weights = dlib_file(MODEL_NAME)
    data = weights.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return open_converted(
        cache_dir / f"dlib-resnet-v{_EXPORT_VERSION}-{digest}.onnx",
        lambda: onnx_export.export(dlib_weights.parse(data)),
        check=lambda session: check_against_dlib(session, weights),
    )


def _run(session: ort.InferenceSession, chips: ChipArray) -> FloatArray:
    parts = [
        session.run([onnx_export.OUTPUT_NAME], {onnx_export.INPUT_NAME: chips[at : at + _BATCH]})[0]
        for at in range(0, len(chips), _BATCH)
    ]
    return np.concatenate(parts)


def _probe_chips() -> ChipArray:
    """Noise, a slope in every channel, and flat darkness: the same at every start."""
    noise = np.random.default_rng(20).integers(0, 256, (CHIP_SIZE, CHIP_SIZE, 3), np.uint8)
    rows, columns = np.mgrid[0:CHIP_SIZE, 0:CHIP_SIZE]
    slope = np.stack([rows, columns, rows + columns], axis=-1) * 255 / (2 * CHIP_SIZE)
    return np.stack([noise, slope.astype(np.uint8), np.full_like(noise, 20)])
