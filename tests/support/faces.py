"""Real faces for tests: portraits inside well-known packages, and a labelled set if it is there."""

import json
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import pytest
import skimage.data
from PIL import Image

from services.recognition.engine.detect.yunet import YuNetDetector
from services.recognition.engine.models.files import PACKAGED_YUNET
from services.recognition.engine.models.packaged import read_packaged
from tests.support.beside import BESIDE

_LABELLED = BESIDE / "faces"


def astronaut() -> Image.Image:
    """Eileen Collins, 512 x 512, her face about 90 pixels wide."""
    return Image.open(Path(skimage.data.__file__).with_name("astronaut.png")).convert("RGB")


def grace_hopper() -> Image.Image:
    """Grace Hopper, 512 x 600, her face about 215 pixels wide."""
    path = Path(mpl.get_data_path(), "sample_data", "grace_hopper.jpg")
    return Image.open(path).convert("RGB")


def yunet() -> YuNetDetector:
    """The detector, of the packaged model."""
    return YuNetDetector(yunet_model(), name="packaged")


def yunet_model() -> bytes:
    """The packaged detector."""
    path = PACKAGED_YUNET.path()
    assert path is not None
    return read_packaged(path, PACKAGED_YUNET)


@dataclass(frozen=True)
class LabelledFaces:
    """Selfies by person, and for each photo the people in it."""

    selfies: dict[str, Path]
    photos: dict[Path, set[str]]


def labelled_faces() -> LabelledFaces:
    """The labelled set beside the repository; skips the test where there is none."""
    labels = _LABELLED / "labels.json"
    if not labels.is_file():
        pytest.skip(f"no labelled faces in {_LABELLED}")
    data = json.loads(labels.read_text())
    return LabelledFaces(
        selfies={person: _LABELLED / path for person, path in data["selfies"].items()},
        photos={_LABELLED / path: set(people) for path, people in data["photos"].items()},
    )
