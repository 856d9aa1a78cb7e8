"""Faces that are not upright: found, turned, or left out, and never taken for somebody else."""

import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.detect.found_face import LocatedFace
from services.recognition.engine.detect.selfie_check import check_selfie
from services.recognition.engine.detect.upright import stood_upright
from services.recognition.engine.detect.yunet import YuNetDetector
from services.recognition.engine.engines import EmbeddedEngine, OpenCvEngine
from services.recognition.engine.face_engine import (
    CALIBRATED_SIMILARITY,
    EMBEDDED,
    DetectedFace,
    FloatArray,
    Purpose,
)
from services.recognition.engine.photo_engine import PhotoEngine
from tests.support.faces import astronaut, grace_hopper, labelled_faces, yunet_model

ANGLES = range(0, 360, 15)
NEAR = EMBEDDED.calibration.distance_of(CALIBRATED_SIMILARITY)
BACKGROUND = (110, 120, 130)


@pytest.fixture(scope="module")
def engine(model_dir: Path) -> EmbeddedEngine:
    return EmbeddedEngine(model_dir=model_dir)


def turned(picture: Image.Image, degrees: int) -> Image.Image:
    """Turned clockwise."""
    return picture.rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=BACKGROUND)


def faces_of(
    engine: PhotoEngine, picture: Image.Image, folder: Path, purpose: Purpose = Purpose.SELFIE
) -> Sequence[DetectedFace]:
    path = folder / "picture.jpg"
    picture.convert("RGB").save(path, quality=92)
    return engine.analyze(path, purpose).faces


def embedding_of(engine: PhotoEngine, picture: Image.Image, folder: Path) -> FloatArray | None:
    """The largest face's of those of which it is known which way up they are."""
    faces = [face for face in faces_of(engine, picture, folder) if face.is_aligned]
    largest = max(faces, key=lambda face: face.width * face.height, default=None)
    return None if largest is None else largest.embedding


def distance(one: FloatArray, other: FloatArray) -> float:
    return float(np.linalg.norm(one - other))


@pytest.mark.parametrize("degrees", ANGLES)
def test_at_any_angle_a_face_is_found_and_is_the_same_person_s(
    engine: EmbeddedEngine, tmp_path: Path, degrees: int
) -> None:
    portraits = (astronaut(), grace_hopper())
    upright = [embedding_of(engine, portrait, tmp_path) for portrait in portraits]
    for own, other, portrait in zip(upright, upright[::-1], portraits, strict=True):
        found = embedding_of(engine, turned(portrait, degrees), tmp_path)
        assert own is not None
        assert other is not None
        assert found is not None
        assert distance(found, own) < NEAR / 2
        assert distance(found, other) > NEAR


@pytest.mark.parametrize("degrees", ANGLES)
def test_no_two_labelled_people_are_alike_who_are_turned_by_the_same_angle(
    engine: EmbeddedEngine, tmp_path: Path, degrees: int
) -> None:
    labelled = labelled_faces()
    pictures = [*labelled.selfies.items()]
    pictures += [(min(who), path) for path, who in labelled.photos.items() if len(who) == 1]
    found: list[tuple[str, FloatArray]] = []
    for name, path in pictures:
        with Image.open(path) as picture:
            embedding = embedding_of(engine, turned(picture, degrees), tmp_path)
        if embedding is not None:
            found.append((name, embedding))
    assert len(found) >= 0.9 * len(pictures)
    strangers = [
        (name, other)
        for (name, one), (other, another) in combinations(found, 2)
        if name != other and distance(one, another) <= NEAR
    ]
    assert strangers == []
    same = [
        distance(one, another) <= NEAR
        for (name, one), (other, another) in combinations(found, 2)
        if name == other
    ]
    # The limit is near the least alike pairs of upright photos: some fall on its other side.
    assert np.mean(same) > 0.9


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_photo_that_lies_on_its_side_has_all_its_people(
    engine: EmbeddedEngine, tmp_path: Path, degrees: int
) -> None:
    group = Image.new("RGB", (3000, 1200), BACKGROUND)
    for column, portrait in enumerate((astronaut(), grace_hopper(), astronaut(), grace_hopper())):
        width = (240, 200)[column % 2]
        size = (width, width * portrait.height // portrait.width)
        group.paste(portrait.resize(size), (300 + 650 * column, 400))
    faces = faces_of(engine, turned(group, degrees), tmp_path, Purpose.PHOTO)
    sure = [face for face in faces if face.is_aligned]
    assert len(sure) == 4
    # Where they are in the photo as it is.
    along = [
        face.left + face.width / 2 if degrees == 180 else face.top + face.height / 2
        for face in sure
    ]
    places = sorted(1 - place if degrees != 90 else place for place in along)
    assert places == pytest.approx([(400 + 650 * column) / 3000 for column in range(4)], abs=0.03)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_sideways_selfie_is_turned(engine: EmbeddedEngine, tmp_path: Path, degrees: int) -> None:
    sideways = turned(grace_hopper(), degrees)
    faces = faces_of(engine, sideways, tmp_path)
    verdict = check_selfie(*sideways.size, faces)
    assert verdict.face is not None
    upright = embedding_of(engine, grace_hopper(), tmp_path)
    assert upright is not None
    assert distance(faces[verdict.face].embedding, upright) < NEAR / 2


def test_the_other_engine_turns_faces_too(model_dir: Path, tmp_path: Path) -> None:
    engine = OpenCvEngine(model_dir=model_dir)
    upright = embedding_of(engine, grace_hopper(), tmp_path)
    other = embedding_of(engine, astronaut(), tmp_path)
    assert upright is not None
    assert other is not None
    for degrees in (90, 180, 270):
        found = embedding_of(engine, turned(grace_hopper(), degrees), tmp_path)
        assert found is not None
        assert distance(found, upright) < 0.5
        assert distance(found, other) > 1.1


class Sure:
    """A detector that is equally sure of each turn, or finds nothing any more."""

    def __init__(self, confidence: float | None) -> None:
        self._confidence = confidence

    def __call__(self, pixels: npt.NDArray[np.uint8], least_confidence: float) -> list[LocatedFace]:
        if self._confidence is None or self._confidence < least_confidence:
            return []
        height, width = pixels.shape[:2]
        return [
            located(left + 15, top + 15, 34, self._confidence)
            for left in range(0, width, 64)
            for top in range(0, height, 64)
        ]


def located(left: float, top: float, side: float, confidence: float) -> LocatedFace:
    marks = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.35, 0.7], [0.65, 0.7]])
    return LocatedFace(left, top, side, side, confidence, marks * side + [left, top])


@pytest.mark.parametrize("column", [2, 6])
def test_what_is_around_a_face_is_no_face_on_its_side(column: int) -> None:
    """Hair that lies looks like one to a detector, as large as all that it is shown."""

    def find(mosaic: npt.NDArray[np.uint8], least_confidence: float) -> list[LocatedFace]:
        return [located(15, 15, 34, 0.8), located(64 * column + 1, 1, 62, 0.95)]

    face = located(150, 100, 60, 0.95)
    assert stood_upright(np.full((300, 400, 3), 90, np.uint8), [face], find) == [face]


@pytest.mark.parametrize("column", [2, 6])
def test_a_sure_find_is_turned_where_another_turn_is_surer(column: int) -> None:
    def find(mosaic: npt.NDArray[np.uint8], least_confidence: float) -> list[LocatedFace]:
        if mosaic.shape[0] == mosaic.shape[1]:  # the fine tile
            return [located(30, 30, 68, 0.95)]
        return [located(15, 15, 34, 0.8), located(64 * column + 15, 15, 34, 0.95)]

    (face,) = stood_upright(
        np.full((300, 400, 3), 90, np.uint8), [located(150, 100, 60, 0.95)], find
    )
    assert abs(math.degrees(face.tilt)) == pytest.approx(90)


@pytest.mark.parametrize(
    ("found", "is_known"),
    [
        ({0: 0.32}, True),  # a drawn face, hardly one in a tile
        ({0: 0.75, 4: 0.49, 5: 0.76, 6: 0.69}, True),  # one wrong turn is as sure
        ({0: 0.75, 4: 0.49, 5: 0.78, 6: 0.69}, False),  # and this one surer
        ({0: 0.75, 3: 0.60, 4: 0.76, 5: 0.76}, True),
        ({0: 0.75, 2: 0.75, 3: 0.73, 4: 0.75, 5: 0.74}, False),  # most are as sure
        ({5: 0.32}, False),
    ],
)
def test_a_sure_find_is_upright_where_its_own_turn_is_about_the_surest(
    found: dict[int, float], is_known: bool
) -> None:
    def find(mosaic: npt.NDArray[np.uint8], least_confidence: float) -> list[LocatedFace]:
        return [located(64 * column + 15, 15, 34, sure) for column, sure in found.items()]

    pixels = np.full((300, 400, 3), 90, np.uint8)
    for confidence, is_aligned in ((0.91, is_known), (0.89, False)):
        (face,) = stood_upright(pixels, [located(150, 100, 60, confidence)], find)
        assert face.is_aligned == is_aligned


@pytest.mark.parametrize("as_found", [0.8, 0.9, 0.97])
@pytest.mark.parametrize("confidence", [None, 0.5, 0.95])
def test_where_no_turn_is_surer_the_face_is_in_doubt(
    confidence: float | None, as_found: float
) -> None:
    pixels = np.full((300, 400, 3), 90, np.uint8)
    faces = [located(50 * number, 40, 60, as_found) for number in range(9)]
    stood = stood_upright(pixels, faces, Sure(confidence))
    assert [face.is_aligned for face in stood] == [False] * 9
    assert [face.left for face in stood] == [face.left for face in faces]


def test_each_find_is_looked_at_for_its_own_tile_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    move = LocatedFace.moved

    def counted(face: LocatedFace, turn: complex, shift: complex) -> LocatedFace:
        nonlocal looks
        looks += 1
        return move(face, turn, shift)

    monkeypatch.setattr(LocatedFace, "moved", counted)
    faces = [located(40 * number, 40, 30, 0.8) for number in range(64)]
    stood_upright(np.full((300, 3000, 3), 90, np.uint8), faces, Sure(0.9))
    assert looks == len(faces) * 8


@pytest.mark.parametrize("as_found", [0.8, 0.95])
def test_a_find_that_is_no_face_is_in_doubt(as_found: float) -> None:
    detector = YuNetDetector(yunet_model(), name="packaged")
    noise = np.random.default_rng(5).integers(0, 256, (600, 800, 3), np.uint8)
    (face,) = stood_upright(noise, [located(300, 200, 120, as_found)], detector._find)
    assert not face.is_aligned


def test_a_face_in_doubt_is_kept_but_is_never_good_enough_to_be_matched(
    engine: EmbeddedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.recognition.engine.detect.upright._SURE", 1.1)
    monkeypatch.setattr("services.recognition.engine.detect.upright._SURE_AS_FOUND", 1.1)
    (face,) = faces_of(engine, grace_hopper(), tmp_path)
    assert not face.is_aligned
    assert face.quality == 0.0


def test_a_photo_of_nobody_is_searched_sideways_on_small_copies_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "nobody.png"
    Image.new("RGB", (1600, 1200), BACKGROUND).save(path)
    detector = YuNetDetector(yunet_model(), name="packaged")
    find = detector._find
    searched: list[tuple[int, int]] = []

    def recorded(pixels: npt.NDArray[np.uint8], *least_confidence: float) -> list[LocatedFace]:
        height, width = pixels.shape[:2]
        searched.append((width, height))
        return find(pixels, *least_confidence)

    monkeypatch.setattr(detector, "_find", recorded)
    assert detector.locate(PhotoScales(path)) == []
    lying, standing = [(480, 360), (800, 600)], [(360, 480), (600, 800)]
    assert searched == [(480, 360), (1600, 1200), *standing, *lying, *standing]


@given(
    degrees=st.floats(-179, 179), scale=st.floats(0.1, 10), x=st.floats(-99, 99),
    y=st.floats(-99, 99),
)  # fmt: skip
def test_landmarks_tell_by_how_much_a_face_is_turned(
    degrees: float, scale: float, x: float, y: float
) -> None:
    angle = math.radians(degrees)
    turn = scale * complex(math.cos(angle), math.sin(angle))
    face = located(100, 100, 50, 0.9)
    moved = face.moved(turn, complex(x, y))
    assert moved.tilt == pytest.approx(angle, abs=1e-6)
    assert moved.centre == pytest.approx(turn * face.centre + complex(x, y))
    back = moved.moved(1 / turn, -complex(x, y) / turn)
    assert back.centre == pytest.approx(face.centre)
    assert (back.width, back.height) == pytest.approx((50, 50))
