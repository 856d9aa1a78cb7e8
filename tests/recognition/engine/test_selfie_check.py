from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.engine.detect.selfie_check import (
    NO_FACE,
    NOT_UPRIGHT,
    SEVERAL_FACES,
    SURE_CONFIDENCE,
    TOO_SMALL,
    SelfieVerdict,
    check_selfie,
    own_face,
)
from services.recognition.engine.face_engine import DetectedFace


def face(
    width: float, height: float, confidence: float = 0.9, is_aligned: bool = True
) -> DetectedFace:
    nobody = np.zeros(128, np.float32)
    return DetectedFace(0, 0, width, height, confidence, nobody, is_aligned=is_aligned)


def pixels(
    side: float, *, of: tuple[int, int] = (1024, 768), down: float | None = None
) -> DetectedFace:
    """A face of this many pixels in a picture of `of` pixels."""
    return face(side / of[0], (down or side) / of[1])


def test_a_single_large_face_is_accepted() -> None:
    assert check_selfie(1024, 768, [pixels(300)]) == SelfieVerdict(face=0)


def test_a_photo_without_a_face_is_refused() -> None:
    assert check_selfie(1024, 768, []) == SelfieVerdict(problem=NO_FACE)


def test_a_face_of_which_the_way_up_is_in_doubt_is_refused() -> None:
    doubtful = replace(pixels(300), is_aligned=False)
    assert check_selfie(1024, 768, [doubtful]) == SelfieVerdict(problem=NOT_UPRIGHT)
    assert check_selfie(1024, 768, [replace(pixels(20), is_aligned=False)]).problem == TOO_SMALL


def test_another_s_face_is_not_taken_where_the_guest_s_own_is_in_doubt() -> None:
    doubtful = replace(pixels(300), is_aligned=False)
    assert check_selfie(1024, 768, [doubtful, pixels(200)]).problem == SEVERAL_FACES
    assert check_selfie(1024, 768, [pixels(310), doubtful]).problem == SEVERAL_FACES
    assert check_selfie(1024, 768, [doubtful, pixels(100)]).problem == NOT_UPRIGHT
    assert own_face([doubtful, pixels(200)]) == 0


def test_a_bystander_s_face_may_be_in_doubt() -> None:
    faces = [replace(pixels(100), is_aligned=False), pixels(300)]
    assert check_selfie(1024, 768, faces) == SelfieVerdict(face=1)


def test_two_faces_of_like_size_are_refused() -> None:
    assert check_selfie(1024, 768, [pixels(300), pixels(200)]).problem == SEVERAL_FACES


def test_a_bystander_under_15_percent_of_the_area_does_not_count() -> None:
    # 116² / 300² is 14.95 %, 117² / 300² is 15.2 %.
    assert check_selfie(1024, 768, [pixels(116), pixels(300)]) == SelfieVerdict(face=1)
    assert check_selfie(1024, 768, [pixels(117), pixels(300)]).problem == SEVERAL_FACES


def test_an_unsure_detection_does_not_count_beside_a_sure_one_even_if_larger() -> None:
    badge = face(0.5, 0.5, confidence=0.6)
    assert check_selfie(1024, 768, [badge, pixels(300)]) == SelfieVerdict(face=1)
    assert check_selfie(1024, 768, [badge]) == SelfieVerdict(face=0)
    assert check_selfie(1024, 768, [badge, badge]).problem == SEVERAL_FACES


SIZES = st.floats(0.01, 1)
FACES = st.lists(st.builds(face, SIZES, SIZES, st.floats(0.01, 1), st.booleans()), max_size=6)


@given(FACES)
def test_the_face_that_is_indexed_is_the_one_that_was_judged(faces: list[DetectedFace]) -> None:
    verdict = check_selfie(1024, 768, faces)
    if verdict.accepted:
        assert verdict.face == own_face(faces)
    assert (own_face(faces) is None) == (faces == [])


def test_a_side_under_44_pixels_is_too_small() -> None:
    assert check_selfie(1024, 768, [pixels(43.9, down=400)]).problem == TOO_SMALL
    assert check_selfie(1024, 768, [pixels(44.1, down=400)]).accepted


def test_an_area_under_5000_pixels_is_too_small_in_a_narrow_picture() -> None:
    # 0.8 % of 1024 x 400 is 3277: the 5000 pixels decide.
    size = (1024, 400)
    assert check_selfie(*size, [pixels(70.7, of=size)]).problem == TOO_SMALL
    assert check_selfie(*size, [pixels(70.8, of=size)]).accepted


def test_an_area_under_a_125th_of_the_picture_is_too_small() -> None:
    # 0.8 % of 1024 x 768 is 6291.456, the square of 79.3.
    assert check_selfie(1024, 768, [pixels(79.2)]).problem == TOO_SMALL
    assert check_selfie(1024, 768, [pixels(79.4)]).accepted


@given(st.integers(200, 8000), st.integers(200, 8000), FACES)
def test_a_verdict_is_either_a_face_or_a_problem_and_the_face_is_the_largest_sure_one(
    width: int, height: int, faces: list[DetectedFace]
) -> None:
    verdict = check_selfie(width, height, faces)
    assert (verdict.face is None) == (verdict.problem is not None)
    assert verdict.accepted == (verdict.problem is None)
    if verdict.face is not None:
        sure = [face for face in faces if face.confidence >= SURE_CONFIDENCE] or faces
        assert faces[verdict.face] in sure
        assert faces[verdict.face].is_aligned
        own = faces[verdict.face].width * faces[verdict.face].height
        assert own == pytest.approx(max(face.width * face.height for face in sure))


@given(st.floats(0.02, 1), st.integers(1, 8))
def test_the_resolution_of_the_camera_makes_no_difference(size: float, factor: int) -> None:
    faces = [face(size, size)]
    assert check_selfie(512 * factor, 384 * factor, faces) == check_selfie(512, 384, faces)


@pytest.mark.parametrize("problem", [NO_FACE, SEVERAL_FACES, NOT_UPRIGHT, TOO_SMALL])
def test_problems_are_sentences_that_say_what_to_do(problem: str) -> None:
    assert problem.endswith(".")
    assert len(problem.split(". ")) == 2
