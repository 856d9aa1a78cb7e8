"""The opencv engine: YuNet and SFace, the models of OpenCV's zoo, in ONNX Runtime."""

from pathlib import Path

from services.recognition.engine.decode.decode import PIXEL_LIMIT
from services.recognition.engine.detect.yunet import YuNetDetector
from services.recognition.engine.embed.sface import SFaceEmbedder
from services.recognition.engine.embed.sface_chips import SFaceChipCutter
from services.recognition.engine.models.dlib_weights import ModelUnusable
from services.recognition.engine.models.files import (
    SFACE,
    YUNET,
    ModelFile,
    default_model_dir,
    find_sface,
    find_yunet,
)
from services.recognition.engine.photo_engine import PhotoEngine


class OpenCvEngine(PhotoEngine):
    """Needs both models in the model folder (`findme models pull`)."""

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


def _missing(model: ModelFile, folder: Path) -> ModelUnusable:
    return ModelUnusable(
        f"the opencv engine needs {model.name} in {folder}: run `findme models pull`, or put the "
        f"file there yourself, from {model.url}"
    )
