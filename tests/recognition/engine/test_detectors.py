from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.detect.found_face import LocatedFace, without_repeats
from services.recognition.engine.detect.hog import (
    NEARLY_TOO_SMALL,
    HogDetector,
    rows_to_search_again,
)
from services.recognition.engine.detect.yunet import YuNetDetector
from services.recognition.engine.models.files import ModelUnusable, find_yunet
from tests.support.faces import astronaut, grace_hopper, yunet_model


@pytest.fixture(scope="module")
def yunet() -> YuNetDetector:
    return YuNetDetector(yunet_model())


def group(people: int, width: int, *, rows: int = 1) -> Image.Image:
    """12 megapixels with people whose faces are so wide, in rows."""
    scene = Image.new("RGB", (4000, 3000), (110, 120, 130))
    for row in range(rows):
        for column in range(people):
            portrait = (astronaut(), grace_hopper())[(row + column) % 2]
            face_px = (85, 190)[(row + column) % 2]
            scale = width / face_px
            size = (round(portrait.width * scale), round(portrait.height * scale))
            x = round((column + 0.5) * 4000 / people - size[0] / 2)
            y = round((row + 1) * 3000 / (rows + 1) - size[1] / 2)
            scene.paste(portrait.resize(size), (x, y))
    return scene


def opened(picture: Image.Image, folder: Path) -> PhotoScales:
    path = folder / "photo.png"
    picture.save(path, compress_level=1)
    return PhotoScales(path)


def box(left: float, top: float, width: float, confidence: float = 0.9) -> LocatedFace:
    return LocatedFace(left, top, width, width, confidence)


def test_hog_finds_a_group_of_faces_of_three_percent_of_the_width(tmp_path: Path) -> None:
    faces = HogDetector().locate(opened(group(6, 130), tmp_path))
    # Their clothes may look like faces too, but less so.
    found = sorted(face.left + face.width / 2 for face in faces if face.confidence > 0.65)
    expected = [1600 / 6 * (person + 0.5) for person in range(6)]
    assert found == pytest.approx(expected, abs=60)


def test_hog_does_not_read_the_photo_again_where_all_faces_are_large(tmp_path: Path) -> None:
    photo = opened(group(2, 500), tmp_path)
    faces = HogDetector().locate(photo)
    assert len(faces) == 2
    assert "fine" not in vars(photo)


def test_where_nobody_is_found_the_whole_photo_is_searched_again() -> None:
    assert rows_to_search_again([], 1200) == (0, 1200)


def test_around_faces_that_are_nearly_too_small_the_rows_are_searched_again() -> None:
    small, large = box(0, 500, NEARLY_TOO_SMALL - 10), box(0, 100, 300)
    rows = rows_to_search_again([small, large], 1200)
    assert rows is not None
    assert 100 < rows[0] < 400
    assert 650 < rows[1] < 1000
    assert rows_to_search_again([box(0, 10, 90)], 120) == (0, 120)


def test_large_faces_alone_need_no_second_search() -> None:
    assert rows_to_search_again([box(0, 100, 300)], 1200) is None


def test_yunet_finds_a_crowd_of_faces_of_one_percent_of_the_width(
    yunet: YuNetDetector, tmp_path: Path
) -> None:
    faces = yunet.locate(opened(group(10, 48, rows=3), tmp_path))
    assert len(faces) == 30
    assert all(one.confidence >= other.confidence for one, other in pairwise(faces))


@pytest.mark.parametrize("degrees", [-50, -30, 30, 50])
def test_yunet_finds_a_tilted_face(yunet: YuNetDetector, tmp_path: Path, degrees: int) -> None:
    tilted = grace_hopper().rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(110, 120, 130))
    assert len(yunet.locate(opened(tilted, tmp_path))) == 1


def test_yunet_finds_a_face_that_fills_the_frame_once(yunet: YuNetDetector, tmp_path: Path) -> None:
    close_up = grace_hopper().crop((130, 90, 400, 380)).resize((2700, 2900))
    (face,) = yunet.locate(opened(close_up, tmp_path))
    assert face.width > 700


def test_yunet_names_the_landmarks_from_the_person_s_right(
    yunet: YuNetDetector, tmp_path: Path
) -> None:
    (face,) = yunet.locate(opened(grace_hopper(), tmp_path))
    assert face.landmarks is not None
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_a_photo_without_faces_has_none_for_yunet(yunet: YuNetDetector, tmp_path: Path) -> None:
    assert yunet.locate(opened(Image.new("RGB", (900, 400), "gray"), tmp_path)) == []
    assert yunet.locate(opened(Image.new("RGB", (1, 1)), tmp_path)) == []


def test_a_model_made_for_one_size_of_picture_takes_any(
    yunet: YuNetDetector, tmp_path: Path
) -> None:
    model = onnx.load(yunet_model())
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    dimensions[2].dim_value, dimensions[3].dim_value = 640, 640
    fixed = tmp_path / "fixed.onnx"
    onnx.save(model, fixed)
    photo = opened(grace_hopper(), tmp_path)
    (expected,), (found,) = yunet.locate(photo), YuNetDetector(fixed).locate(photo)
    assert found.left == pytest.approx(expected.left)
    assert found.confidence == pytest.approx(expected.confidence)


def test_a_file_that_is_no_detector_is_refused(tmp_path: Path) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelUnusable, match=r"damaged\.onnx is not a usable YuNet model"):
        YuNetDetector(tmp_path / "damaged.onnx")


def test_the_newest_detector_in_the_folder_is_taken(tmp_path: Path) -> None:
    assert find_yunet(tmp_path) is None
    for version in ("2023mar", "2026may", "2022mar", "2026may_int8"):
        (tmp_path / f"face_detection_yunet_{version}.onnx").touch()
    assert find_yunet(tmp_path) == tmp_path / "face_detection_yunet_2026may.onnx"
    named = tmp_path / "face_detection_yunet_2022mar.onnx"
    assert find_yunet(tmp_path, named) == named
    with pytest.raises(ModelUnusable, match="no model file"):
        find_yunet(tmp_path, tmp_path / "elsewhere.onnx")


def test_two_finds_of_one_face_are_one() -> None:
    face, again, within = box(0, 0, 100), box(10, 5, 100, 0.8), box(40, 40, 50, 0.7)
    neighbour = box(80, 0, 100, 0.85)
    assert without_repeats([within, again, neighbour, face]) == [face, neighbour]


def test_a_face_moves_with_its_picture() -> None:
    marks = np.arange(10.0).reshape(5, 2)
    face = LocatedFace(10, 20, 30, 40, 0.9, marks)
    moved = face.shifted(down=5).scaled(2)
    assert (moved.left, moved.top, moved.width, moved.height) == (20, 50, 60, 80)
    assert moved.landmarks is not None
    np.testing.assert_array_equal(moved.landmarks, (marks + np.array([0, 5])) * 2)
    assert LocatedFace(-10, -5, 50, 500, 0.9).clipped(30, 100) == (0, 0, 30, 100)


def test_a_photo_is_never_enlarged_to_find_small_faces(tmp_path: Path) -> None:
    small = opened(Image.new("RGB", (1000, 700)), tmp_path)
    assert small.base.shape == (1120, 1600, 3)
    assert small.fine is small.base
    assert small.own_factor == pytest.approx(1 / 1.6)
    large = opened(Image.new("RGB", (2000, 3000)), tmp_path)
    assert large.fine.shape == (3000, 2000, 3)
    assert large.fine_factor == pytest.approx(3000 / 1600)
