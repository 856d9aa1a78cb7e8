"""The engines that run here, and from an engine's name to the engine.

What they have in common is in photo_engine.py; what the rest of the service needs to know of
them, without loading a model, in face_engine.py.
"""

from pathlib import Path

from services.recognition.engine.decode import PIXEL_LIMIT
from services.recognition.engine.detect.hog import HogDetector
from services.recognition.engine.detect.yunet import YuNetDetector
from services.recognition.engine.embed.dlib import DlibChipCutter, DlibEmbedder
from services.recognition.engine.embed.sface import SFaceChipCutter, SFaceEmbedder
from services.recognition.engine.face_engine import EMBEDDED, OPENCV, Engine
from services.recognition.engine.models.files import (
    SFACE,
    YUNET,
    ModelFile,
    ModelUnusable,
    default_model_dir,
    find_sface,
    find_yunet,
)
from services.recognition.engine.photo_engine import PhotoEngine


class EmbeddedEngine(PhotoEngine):
    """What comes inside pip packages: YuNet where its file is, else HOG; dlib's ResNet."""

    def __init__(
        self,
        *,
        model_dir: Path | None = None,
        detector_model: Path | None = None,
        pixel_limit: int = PIXEL_LIMIT,
    ) -> None:
        """Load the models; raises `ModelUnusable`.

        `model_dir` holds the converted model and, maybe, YuNet; `detector_model` names YuNet's
        file where it lies elsewhere.
        """
        folder = model_dir or default_model_dir()
        yunet = find_yunet(folder, detector_model)
        super().__init__(
            HogDetector() if yunet is None else YuNetDetector(yunet),
            DlibChipCutter(),
            DlibEmbedder(folder),
            pixel_limit=pixel_limit,
        )


class OpenCvEngine(PhotoEngine):
    """YuNet and SFace, both in the model folder (`findme models pull`)."""

    def __init__(
        self,
        *,
        model_dir: Path | None = None,
        detector_model: Path | None = None,
        pixel_limit: int = PIXEL_LIMIT,
    ) -> None:
        """Load the models; raises `ModelUnusable` where one is missing."""
        folder = model_dir or default_model_dir()
        yunet = find_yunet(folder, detector_model)
        sface = find_sface(folder)
        if yunet is None:
            raise _missing(YUNET, folder)
        if sface is None:
            raise _missing(SFACE, folder)
        super().__init__(
            YuNetDetector(yunet), SFaceChipCutter(), SFaceEmbedder(sface), pixel_limit=pixel_limit
        )


ENGINES = {EMBEDDED.name: EmbeddedEngine, OPENCV.name: OpenCvEngine}


def make_engine(
    name: str, *, model_dir: Path | None, detector_model: Path | None, pixel_limit: int
) -> Engine:
    """Load the engine of this name; raises `ModelUnusable`. Called in every worker process."""
    return ENGINES[name](
        model_dir=model_dir, detector_model=detector_model, pixel_limit=pixel_limit
    )


def _missing(model: ModelFile, folder: Path) -> ModelUnusable:
    return ModelUnusable(
        f"the opencv engine needs {model.name} in {folder}: run `findme models pull`, or put the "
        f"file there yourself, from {model.url}"
    )
