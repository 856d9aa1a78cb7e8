"""From an engine's name to the engine; called in every worker process."""

from pathlib import Path

from services.recognition.engine.analysis import Engine
from services.recognition.engine.embedded import EmbeddedEngine
from services.recognition.engine.opencv import OpenCvEngine
from services.recognition.engine.profiles import EMBEDDED, OPENCV

ENGINES = {EMBEDDED.name: EmbeddedEngine, OPENCV.name: OpenCvEngine}


def make_engine(
    name: str, *, model_dir: Path | None, detector_model: Path | None, pixel_limit: int
) -> Engine:
    """Load the engine of this name; raises `ModelUnusable`."""
    return ENGINES[name](
        model_dir=model_dir, detector_model=detector_model, pixel_limit=pixel_limit
    )
