"""128-d face embeddings by dlib's ResNet in ONNX Runtime: the same numbers, about 20 times faster.

The converted model is made at first use, compared with dlib there and then, and cached on disk.
"""

import hashlib
import logging
import os
import tempfile
from pathlib import Path

import dlib
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from services.recognition.engine.models import dlib_weights, onnx_export
from services.recognition.engine.models.dlib_weights import (
    EMBEDDING_SIZE,
    FloatArray,
    ModelUnusable,
)
from services.recognition.engine.models.files import default_model_dir
from services.recognition.engine.models.onnx_export import CHIP_SIZE
from services.recognition.engine.models.sessions import open_session

ChipArray = npt.NDArray[np.uint8]

MODEL_NAME = "dlib_face_recognition_resnet_model_v1.dat"
MAX_DIFFERENCE = 1e-4  # measured: 3e-7

# Raise it when the exported graph changes: caches of older versions are then not looked at.
_EXPORT_VERSION = 1
# Bounds the activations' memory (about 6 MB a chip); larger batches are not faster per chip.
_BATCH = 8

_log = logging.getLogger(__name__)


class Embedder:
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


def _load_or_convert(cache_dir: Path) -> ort.InferenceSession:
    weights = dlib_weights.model_file(MODEL_NAME)
    data = weights.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    cached = cache_dir / f"dlib-resnet-v{_EXPORT_VERSION}-{digest}.onnx"
    if cached.is_file():
        try:
            return open_session(cached.read_bytes())
        except Exception as error:  # noqa: BLE001 - ONNX Runtime has no public error classes
            _log.warning("the cached face model %s is damaged, converting again: %s", cached, error)

    model = onnx_export.export(dlib_weights.parse(data))
    session = open_session(model)
    check_against_dlib(session, weights)
    try:
        _write_atomically(cached, model)
    except OSError as error:
        # A read-only container: every start converts again (about half a second), no more.
        _log.warning("the converted face model cannot be cached in %s: %s", cache_dir, error)
    return session


def _run(session: ort.InferenceSession, chips: ChipArray) -> FloatArray:
    parts = [
        session.run([onnx_export.OUTPUT_NAME], {onnx_export.INPUT_NAME: chips[at : at + _BATCH]})[0]
        for at in range(0, len(chips), _BATCH)
    ]
    return np.concatenate(parts)


def _write_atomically(path: Path, content: bytes) -> None:
    """Several processes may do this at once: each replaces the file by the same whole content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.stem, delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)  # an image builds the cache as root, and runs as somebody else
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _probe_chips() -> ChipArray:
    """Noise, a slope in every channel, and flat darkness: the same at every start."""
    noise = np.random.default_rng(20).integers(0, 256, (CHIP_SIZE, CHIP_SIZE, 3), np.uint8)
    rows, columns = np.mgrid[0:CHIP_SIZE, 0:CHIP_SIZE]
    slope = np.stack([rows, columns, rows + columns], axis=-1) * 255 / (2 * CHIP_SIZE)
    return np.stack([noise, slope.astype(np.uint8), np.full_like(noise, 20)])
