from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.detect.found_face import head_turn, quality
from services.recognition.engine.embed.dlib import DlibChipCutter
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import MIN_QUALITY
from tests.support.faces import astronaut, grace_hopper, yunet

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module", params=["astronaut", "grace hopper"])
def chip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pixels:
    path = tmp_path_factory.mktemp("portrait") / "portrait.png"
    (astronaut() if request.param == "astronaut" else grace_hopper()).save(path)
    photo = PhotoScales(path)
    return DlibChipCutter().cut(photo.base, yunet().locate(photo)[0]).pixels


def seen(chip: Pixels, width_px: int, blur: float = 0.0) -> float:
    """The quality of this face in a photo where it is so wide, blurred as of 60 pixels' width."""
    inside = round(150 * width_px / 115)
    small = cv2.resize(chip, (inside, inside), interpolation=cv2.INTER_AREA)
    if blur:
        small = cv2.GaussianBlur(small, (0, 0), blur * width_px / 60)
    enlarged = cv2.resize(small, (150, 150), interpolation=cv2.INTER_LINEAR)
    return quality(np.asarray(enlarged, np.uint8), width_px=width_px, turn=0.0)


def test_a_sharp_face_is_good_however_dim_it_is(chip: Pixels) -> None:
    assert seen(chip, 100) > 0.7
    assert seen((chip * 0.4).astype(np.uint8), 100) > 0.7


@pytest.mark.parametrize("width_px", [100, 60, 30])
def test_a_face_too_blurred_to_tell_is_not_matched(chip: Pixels, width_px: int) -> None:
    assert seen(chip, width_px, blur=3.5) < MIN_QUALITY


def test_a_blurred_face_of_twenty_pixels_is_not_matched_but_a_sharp_one_is(chip: Pixels) -> None:
    assert seen(chip, 20, blur=2.5) < MIN_QUALITY <= seen(chip, 20)


def test_a_face_of_ten_pixels_is_not_matched(chip: Pixels) -> None:
    assert seen(chip, 10) < MIN_QUALITY


def test_a_slightly_blurred_large_face_is_matched(chip: Pixels) -> None:
    assert seen(chip, 100, blur=1) >= MIN_QUALITY


def test_pose_alone_never_makes_a_face_unmatched(chip: Pixels) -> None:
    frontal, profile = (quality(chip, width_px=100, turn=turn) for turn in (0.0, 5.0))
    assert MIN_QUALITY <= profile < frontal


def test_an_empty_picture_has_no_quality() -> None:
    assert quality(np.full((150, 150, 3), 90, np.uint8), width_px=100, turn=0.0) == 0.0
    assert quality(np.full((112, 112, 3), 90, np.uint8), width_px=100, turn=0.0) == 0.0


@given(st.floats(-180, 180), st.floats(1, 500), st.floats(-1, 1))
def test_the_turn_of_a_head_is_the_same_at_every_tilt_and_size(
    tilt: float, eye_distance: float, aside: float
) -> None:
    turned = np.exp(1j * np.radians(tilt)) * eye_distance * np.array([-0.5, 0.5, aside + 0.6j])
    eyes_and_nose = np.stack([turned.real, turned.imag], axis=1) + 100
    assert head_turn(*eyes_and_nose) == pytest.approx(abs(aside), abs=1e-6)


def test_eyes_in_one_place_count_as_turned_away() -> None:
    assert head_turn(np.zeros(2), np.zeros(2), np.ones(2)) == 1.0


def test_quality_is_kept_in_a_photo_s_analysis(model_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    grace_hopper().save(path)
    (face,) = EmbeddedEngine(model_dir=model_dir).analyze(path).faces
    assert face.quality > 0.7
