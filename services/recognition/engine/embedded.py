"""The embedded engine: dlib's network, with what comes inside pip packages."""

from pathlib import Path

from services.recognition.engine.decode.decode import PIXEL_LIMIT
from services.recognition.engine.detect.hog import HogDetector
from services.recognition.engine.detect.yunet import YuNetDetector
from services.recognition.engine.embed.dlib import Embedder
from services.recognition.engine.embed.dlib_chips import DlibChipCutter
from services.recognition.engine.models.files import default_model_dir, find_yunet
from services.recognition.engine.photo_engine import PhotoEngine


class EmbeddedEngine(PhotoEngine):
    """Detection by YuNet where its model file is, else by HOG; embedding by dlib's ResNet."""

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
            Embedder(folder),
            pixel_limit=pixel_limit,
        )
