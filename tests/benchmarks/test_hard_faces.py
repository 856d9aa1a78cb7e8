from pathlib import Path

import numpy as np
import pytest

from benchmarks import hard_faces
from benchmarks.accuracy import LABELLED
from benchmarks.hard_faces.conditions import CONDITIONS, Condition
from benchmarks.hard_faces.effects import tile_of
from benchmarks.hard_faces.measuring import Tally, count, photos_of
from benchmarks.hard_faces.people import People, SourceFace
from benchmarks.hard_faces.photos import PlacedFace
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import MIN_QUALITY, DetectedFace, FloatArray
from tests.faults.sizes import short_and_long

EASY = {"plain", "jpeg_20", "tilt_15", "tilt_180"}
#: Of the others one for each way to be hard: worn, blurred, dark and small.
FEW = EASY | {"group_60", "mask", "motion_10", "dark_noise", "small_50"}


@short_and_long("names", FEW, {each.name for each in CONDITIONS})
def test_hard_faces_are_nobody_else_s_and_easy_ones_their_own(
    model_dir: Path, names: set[str]
) -> None:
    engine = EmbeddedEngine(model_dir=model_dir)
    report = hard_faces.evaluate(
        True,
        engine,
        "embedded",
        labelled=LABELLED,
        model_dir=model_dir,
        conditions=[each for each in CONDITIONS if each.name in names],
    )
    figures = report.figures
    assert {key.split(".")[0] for key in figures} == names
    # The demo's people are drawn from two portraits, and nearer to each other than any real ones.
    are_real = (LABELLED / "labels.json").is_file()
    of_nobody_else = names if are_real else EASY
    assert {name: figures[f"{name}.wrong"] for name in of_nobody_else} == dict.fromkeys(
        of_nobody_else, 0
    )
    for name in EASY:
        assert figures[f"{name}.found"] == figures[f"{name}.recall"] == 1.0, name
    assert figures["group_60.found"] >= 0.95


OWN, STRANGER, NOBODY = (np.eye(3, dtype=np.float32)[at] for at in range(3))
PEOPLE = People({"own": OWN, "stranger": STRANGER}, [])


def found(embedding: FloatArray, quality: float = 1.0, left: float = 0.4) -> DetectedFace:
    return DetectedFace(left, 0.4, 0.1, 0.1, 0.9, embedding, quality)


def counted(*finds: DetectedFace) -> dict[str, float | int]:
    tally = Tally()
    truth = [PlacedFace("own", 0.41, 0.41, 0.1, 0.1), PlacedFace("own", 0.8, 0.8, 0.1, 0.1)]
    count(tally, truth, finds, PEOPLE, near=0.5)
    return tally.figures()


def test_a_face_that_is_found_and_like_its_selfie_is_recognised() -> None:
    assert counted(found(OWN)) == {
        "found": 0.5, "recall": 0.5, "wrong": 0, "held_back": 0, "quality": 1.0,
    }  # fmt: skip


def test_a_face_that_is_like_nobody_is_found_only() -> None:
    assert counted(found(NOBODY, 0.5)) == {
        "found": 0.5, "recall": 0.0, "wrong": 0, "held_back": 0, "quality": 0.5,
    }  # fmt: skip


def test_a_face_like_a_stranger_is_wrong_unless_its_quality_holds_it_back() -> None:
    assert counted(found(STRANGER))["wrong"] == 1
    poor = counted(found(STRANGER, MIN_QUALITY / 2))
    assert (poor["wrong"], poor["held_back"]) == (0, 1)
    assert counted(found(OWN, MIN_QUALITY / 2))["recall"] == 0.0


def test_what_is_no_face_is_wrong_where_it_is_like_anybody() -> None:
    assert counted(found(OWN, left=0.1))["wrong"] == 1
    assert counted(found(OWN, left=0.1))["found"] == 0.0


def face() -> SourceFace:
    pixels = np.random.default_rng(1).integers(0, 256, (240, 240, 3), np.uint8)
    marks = np.array([[100.0, 100], [140, 100], [120, 120], [105, 140], [135, 140]])
    return SourceFace("own", pixels, marks, 100, 120)


@pytest.mark.parametrize(
    "condition", [each for each in CONDITIONS if each.effect], ids=lambda each: each.name
)
def test_a_condition_s_effect_changes_the_face_and_leaves_it_on_its_tile(
    condition: Condition,
) -> None:
    assert condition.effect is not None
    plain = tile_of(face(), condition.face_px, is_mirrored=False)
    hard = condition.effect(plain, 0)
    assert hard.pixels.shape == plain.pixels.shape
    assert hard.pixels.dtype == plain.pixels.dtype
    assert not np.array_equal(hard.pixels, plain.pixels)
    assert ((hard.landmarks >= 0) & (hard.landmarks < len(hard.pixels))).all()


@pytest.mark.parametrize("name", ["covered", "aside_45", "motion_10", "dark_noise", "tilt_45"])
def test_the_same_faces_give_the_same_photos(name: str) -> None:
    (condition,) = (each for each in CONDITIONS if each.name == name)
    one, other = (list(photos_of(condition, [face()], quick=True)) for _ in range(2))
    assert [photo.faces for photo in one] == [photo.faces for photo in other]
    for photo, again in zip(one, other, strict=True):
        assert np.array_equal(photo.pixels, again.pixels)


@pytest.mark.parametrize("name", ["cut_25", "cut_40"])
def test_of_a_face_at_a_photo_s_side_so_much_is_missing(name: str) -> None:
    whole, cut = (
        next(photos_of(each, [face()], quick=False)).faces
        for each in CONDITIONS
        if each.name in ("plain", name)
    )
    assert len(cut) == len(whole)
    left = [one.width * one.height for one in cut]
    there = np.mean([one.width * one.height for one in whole])
    # Faces differ by up to 3 percent in width.
    assert left == pytest.approx([there * (1 - int(name[-2:]) / 100)] * len(cut), rel=0.15)
