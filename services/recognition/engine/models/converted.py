"""Models that are made of a package's file at first use, and kept in the model folder."""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnxruntime as ort

from services.recognition.engine.photo_engine import open_session

_log = logging.getLogger(__name__)


def open_converted(
    kept: Path,
    convert: Callable[[], bytes],
    *,
    check: Callable[[ort.InferenceSession], None] = lambda _: None,
) -> ort.InferenceSession:
    """Open the model that is kept; where none is, or a damaged one, convert, check and keep it.

    `kept` must have another name for everything else that may come out. Raises what the two raise.
    """
    if kept.is_file():
        try:
            return open_session(kept)
        except Exception as error:  # noqa: BLE001 - ONNX Runtime has no public error classes
            _log.warning("the cached face model %s is damaged, converting again: %s", kept, error)
    model = convert()
    session = open_session(model)
    check(session)
    try:
        _write_atomically(kept, model)
    except OSError as error:
        # A read-only container: every start converts again (half a second at most), no more.
        _log.warning("the converted face model cannot be cached as %s: %s", kept, error)
    return session


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
