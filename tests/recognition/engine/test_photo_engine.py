from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from libs.common.workers.stages import take_stages
from services.recognition.engine.decode import PhotoScales, UndecodablePhoto
from services.recognition.engine.detect.found_face import LocatedFace
from services.recognition.engine.face_engine import FloatArray
from services.recognition.engine.photo_engine import FaceChip, PhotoEngine
from tests.support.image_files import image_file


class Nobody:
    """Finds no face in any photo."""

    def locate(self, photo: PhotoScales) -> list[LocatedFace]:
        del photo
        return []

    def cut(self, pixels: npt.NDArray[np.uint8], face: LocatedFace) -> FaceChip:
        raise AssertionError

    def embed(self, chips: npt.NDArray[np.uint8]) -> FloatArray:
        return np.empty((len(chips), 128), np.float32)


@pytest.fixture
def engine() -> PhotoEngine:
    take_stages()
    return PhotoEngine(Nobody(), Nobody(), Nobody())


def test_an_analysis_has_its_stages_one_after_the_other(
    engine: PhotoEngine, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(image_file())
    engine.analyze(photo)
    stages = take_stages()
    assert [one.name for one in stages] == ["decode", "detect", "embed"]
    moments = [moment for one in stages for moment in (one.began_ns, one.ended_ns)]
    assert moments == sorted(moments)
    assert take_stages() == ()


def test_a_stage_that_fails_is_told_and_is_the_last(engine: PhotoEngine, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"no photo")
    with pytest.raises(UndecodablePhoto):
        engine.analyze(photo)
    assert [one.name for one in take_stages()] == ["decode"]
