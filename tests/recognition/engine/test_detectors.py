from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from PIL.ExifTags import Base

from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.detect.found_face import LocatedFace, without_repeats
from services.recognition.engine.detect.yunet import YuNetDetector, open_yunet
from services.recognition.engine.models.files import ModelUnusable, find_yunet
from tests.support.faces import astronaut, grace_hopper, yunet_model


@pytest.fixture(scope="module")
def yunet() -> YuNetDetector:
    return YuNetDetector(yunet_model(), name="packaged")


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
    return LocatedFace(left, top, width, width, confidence, np.zeros((5, 2)))


def test_yunet_finds_a_crowd_of_faces_of_one_percent_of_the_width(
    yunet: YuNetDetector, tmp_path: Path
) -> None:
    faces = yunet.locate(opened(group(10, 48, rows=3), tmp_path))
    assert len(faces) == 30
    assert all(one.confidence >= other.confidence for one, other in pairwise(faces))


def test_yunet_finds_everybody_in_a_panorama(yunet: YuNetDetector, tmp_path: Path) -> None:
    """40 people in two rows, their faces half a percent of the width."""
    scene = Image.new("RGB", (16382, 3628), (110, 120, 130))
    for person in range(40):
        portrait = (astronaut(), grace_hopper())[person % 2]
        scale = 90 / (85, 190)[person % 2]
        size = (round(portrait.width * scale), round(portrait.height * scale))
        scene.paste(portrait.resize(size), (100 + person % 20 * 800, 300 + person // 20 * 1700))
    path = tmp_path / "panorama.jpg"
    scene.save(path, quality=85)
    photo = PhotoScales(path)
    assert photo.base.size < 1.1 * 1600 * 1200 * 3
    sure = [face for face in yunet.locate(photo) if face.is_aligned]
    assert 38 <= len(sure) <= 40


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
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_a_photo_without_faces_has_none_for_yunet(yunet: YuNetDetector, tmp_path: Path) -> None:
    assert yunet.locate(opened(Image.new("RGB", (900, 400), "gray"), tmp_path)) == []
    assert yunet.locate(opened(Image.new("RGB", (1, 1)), tmp_path)) == []


def test_a_model_takes_any_size_of_picture(yunet: YuNetDetector, tmp_path: Path) -> None:
    model = onnx.load_from_string(yunet_model())
    # The packaged one is made for one size, others are free.
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    dimensions[2].dim_param, dimensions[3].dim_param = "height", "width"
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = "anchors"
    free = YuNetDetector(model.SerializeToString(), name="free")
    photo = opened(grace_hopper(), tmp_path)
    (expected,), (found,) = yunet.locate(photo), free.locate(photo)
    assert found.left == pytest.approx(expected.left)
    assert found.confidence == pytest.approx(expected.confidence)


def test_a_file_that_is_no_detector_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"not a model")
    with pytest.raises(ModelUnusable, match=r"damaged\.onnx is not a usable YuNet model"):
        open_yunet(tmp_path, damaged)


def test_without_a_file_in_the_folder_the_packaged_detector_is_taken(tmp_path: Path) -> None:
    assert open_yunet(tmp_path) is not None
    (tmp_path / "face_detection_yunet_test.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelUnusable, match=r"face_detection_yunet_test\.onnx"):
        open_yunet(tmp_path)


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
    moved = face.moved(1, 5j).scaled(2)
    assert (moved.left, moved.top, moved.width, moved.height) == (20, 50, 60, 80)
    np.testing.assert_array_equal(moved.landmarks, (marks + np.array([0, 5])) * 2)
    on_its_side = face.moved(1j, 0)
    assert (on_its_side.left, on_its_side.top) == (-60, 10)
    assert (on_its_side.width, on_its_side.height) == (40, 30)
    assert LocatedFace(-10, -5, 50, 500, 0.9, marks).clipped(30, 100) == (0, 0, 30, 100)


def test_a_photo_is_never_enlarged_to_find_small_faces(tmp_path: Path) -> None:
    small = opened(Image.new("RGB", (1000, 700)), tmp_path)
    assert small.base.shape == (1120, 1600, 3)
    assert small.fine is small.base
    assert small.own_factor == pytest.approx(1 / 1.6)
    wide = opened(Image.new("RGB", (3000, 750)), tmp_path)
    assert wide.base.shape == (693, 2771, 3)
    assert wide.fine.shape == (750, 3000, 3)
    large = opened(Image.new("RGB", (2000, 3000)), tmp_path)
    assert large.fine.shape == (3000, 2000, 3)


@pytest.mark.parametrize(("format_", "kept"), [("JPEG", 2000), ("PNG", 4000), ("AVIF", 4000)])
def test_a_larger_size_comes_of_what_is_decoded_where_that_is_enough(
    tmp_path: Path, format_: str, kept: int
) -> None:
    path = tmp_path / "photo"
    Image.effect_noise((3000, 4000), 60).convert("RGB").save(path, format_)
    photo = PhotoScales(path)
    assert photo.enlarged(0.9) == (photo.base, 1)
    pixels, factor = photo.enlarged(1.2)
    assert (max(pixels.shape), factor) == (kept, kept / 1600)
    again = tmp_path / "moved"
    path.rename(again)
    assert photo.enlarged(1.25)[0] is pixels  # without the file
    again.rename(path)
    finest, factor = photo.enlarged(9)
    assert (finest.shape, factor) == ((4000, 3000, 3), 2.5)
    assert (finest is pixels) == (kept == 4000)


@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_of_very_large_photos_are_taken_fewer_pixels(tmp_path: Path, format_: str) -> None:
    path = tmp_path / "photo"
    Image.new("RGB", (6000, 3600)).save(path, format_)
    photo = PhotoScales(path)
    assert photo.enlarged(9)[0].shape == {"JPEG": (1800, 3000, 3), "PNG": (1920, 3200, 3)}[format_]


def test_sizes_are_turned_and_coloured_alike(tmp_path: Path) -> None:
    picture = Image.linear_gradient("L").resize((4000, 3000)).convert("RGB")
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    for format_ in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        path = tmp_path / "photo"
        picture.save(path, format_, exif=exif)
        photo = PhotoScales(path)
        for pixels in (photo.enlarged(1.2)[0], photo.fine):
            rows, columns = photo.base.shape[:2]
            small = np.asarray(Image.fromarray(pixels).resize((columns, rows)))
            assert np.abs(small.astype(int) - photo.base).max() <= 6, format_
