from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from libs.common.images.formats import ImageFormat, image_format
from libs.common.workers.stages import take_stages
from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.detect.found_face import LocatedFace
from services.recognition.engine.face_engine import FloatArray, Purpose, UndecodablePhoto
from services.recognition.engine.photo_engine import FaceChip, PhotoEngine, Recogniser
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
    return PhotoEngine(Nobody(), [Recogniser(Nobody(), Nobody())])


def test_an_analysis_has_its_stages_one_after_the_other(
    engine: PhotoEngine, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(image_file())
    engine.analyze(photo)
    stages = take_stages()
    assert [one.name for one in stages] == ["decode", "detect", "embed", "thumbnail"]
    moments = [moment for one in stages for moment in (one.began_ns, one.ended_ns)]
    assert moments == sorted(moments)
    assert take_stages() == ()


def test_a_photo_gets_a_thumbnail_and_a_selfie_none(engine: PhotoEngine, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(image_file(size=(1600, 1200)))
    small = engine.analyze(photo, Purpose.PHOTO).thumbnail
    assert small is not None
    assert image_format(small) is ImageFormat.WEBP
    assert engine.analyze(photo, Purpose.SELFIE).thumbnail is None


def test_a_stage_that_fails_is_told_and_is_the_last(engine: PhotoEngine, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"no photo")
    with pytest.raises(UndecodablePhoto):
        engine.analyze(photo)
    assert [one.name for one in take_stages()] == ["decode"]


class Somebody(Nobody):
    """Finds one face in the middle, and one below it that reaches to the lower edge."""

    def locate(self, photo: PhotoScales) -> list[LocatedFace]:
        side = photo.base.shape[0]
        marks = np.zeros((5, 2))
        middle = LocatedFace(side / 4, side / 8, side / 4, side / 4, 0.9, marks)
        return [middle, LocatedFace(side / 4, side / 2, side / 4, side / 2, 0.9, marks)]

    def cut(self, pixels: npt.NDArray[np.uint8], face: LocatedFace) -> FaceChip:
        return FaceChip(np.zeros((150, 150, 3), np.uint8), 0.0)


@pytest.mark.parametrize(("kept", "faces"), [(1.0, 2), (0.7, 1)])
def test_a_face_that_is_not_all_there_is_left_out(tmp_path: Path, kept: float, faces: int) -> None:
    content = image_file(size=(480, 480))
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(content[: int(len(content) * kept)])

    analysis = PhotoEngine(Somebody(), [Recogniser(Somebody(), Somebody())]).analyze(photo)

    assert len(analysis.faces) == faces
    assert (analysis.note is None) == (faces == 2)


class Counting(Somebody):
    """Its embeddings are the number of the face, and one of its own."""

    def __init__(self, own: float) -> None:
        self.own = own

    def embed(self, chips: npt.NDArray[np.uint8]) -> FloatArray:
        return np.stack([np.array([face, self.own], np.float32) for face in range(len(chips))])


def test_embeddings_of_two_recognisers_are_joined_by_their_weights(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(image_file(size=(480, 480)))
    both = [Recogniser(Counting(3), Counting(3), 0.5), Recogniser(Counting(5), Counting(5), 2)]
    analysis = PhotoEngine(Somebody(), both).analyze(photo)
    assert [face.embedding.tolist() for face in analysis.faces] == [
        [0, 1.5, 0, 10],
        [0.5, 1.5, 2, 10],
    ]
