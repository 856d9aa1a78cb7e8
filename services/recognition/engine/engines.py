"""The engines that run here, and from what an operator chooses to the engine.

What they have in common is in photo_engine.py; what the rest of the service needs to know of
them, without loading a model, in face_engine.py.
"""

from collections.abc import Callable
from pathlib import Path

from services.recognition.engine.decode import PIXEL_LIMIT
from services.recognition.engine.detect.yunet import YuNetDetector, open_yunet
from services.recognition.engine.embed.dlib import DlibChipCutter, DlibEmbedder
from services.recognition.engine.embed.sface import SFaceChipCutter, SFaceEmbedder, open_sface
from services.recognition.engine.face_engine import DLIB_WEIGHT, SFACE_WEIGHT, Engine
from services.recognition.engine.models.files import (
    CARRIER,
    SFACE,
    YUNET,
    ModelFile,
    ModelUnusable,
    default_model_dir,
)
from services.recognition.engine.photo_engine import PhotoEngine, Recogniser


class EmbeddedEngine(PhotoEngine):
    """YuNet, and the embeddings of dlib's ResNet and SFace joined: all inside pip packages.

    Files of `findme models pull` come first, where they are.
    """

    def __init__(
        self,
        *,
        model_dir: Path | None = None,
        detector_model: Path | None = None,
        pixel_limit: int = PIXEL_LIMIT,
    ) -> None:
        """Load the models; raises `ModelUnusable` where one is missing or damaged.

        `model_dir` holds the converted models and, maybe, others that come before the packaged
        ones; `detector_model` names YuNet's file where it lies elsewhere.
        """
        folder = model_dir or default_model_dir()
        yunet, sface = _yunet_and_sface(folder, detector_model)
        recognisers = (
            Recogniser(DlibChipCutter(), DlibEmbedder(folder), DLIB_WEIGHT),
            Recogniser(SFaceChipCutter(), sface, SFACE_WEIGHT),
        )
        super().__init__(yunet, recognisers, pixel_limit=pixel_limit)


class OpenCvEngine(PhotoEngine):
    """YuNet and SFace, of the model folder (`findme models pull`) or the package."""

    def __init__(
        self,
        *,
        model_dir: Path | None = None,
        detector_model: Path | None = None,
        pixel_limit: int = PIXEL_LIMIT,
    ) -> None:
        """Load the models; raises `ModelUnusable` where one is missing or damaged."""
        folder = model_dir or default_model_dir()
        yunet, sface = _yunet_and_sface(folder, detector_model)
        super().__init__(yunet, (Recogniser(SFaceChipCutter(), sface),), pixel_limit=pixel_limit)


#: By provider, as in `PROFILES`.
ENGINES: dict[str, Callable[..., Engine]] = {"embedded": EmbeddedEngine, "opencv": OpenCvEngine}


def make_engine(
    provider: str, *, model_dir: Path | None, detector_model: Path | None, pixel_limit: int
) -> Engine:
    """Load a provider's engine; raises `ModelUnusable`. Called where workers are made."""
    return ENGINES[provider](
        model_dir=model_dir, detector_model=detector_model, pixel_limit=pixel_limit
    )


def _yunet_and_sface(
    folder: Path, detector_model: Path | None
) -> tuple[YuNetDetector, SFaceEmbedder]:
    yunet, sface = open_yunet(folder, detector_model), open_sface(folder)
    if yunet is None:
        raise _missing(YUNET, folder)
    if sface is None:
        raise _missing(SFACE, folder)
    return yunet, sface


def _missing(model: ModelFile, folder: Path) -> ModelUnusable:
    return ModelUnusable(
        f"the face engine needs {model.name} in {folder}, or the package {CARRIER}: run `findme "
        f"models pull`, or put the file there yourself, from {model.url}"
    )
