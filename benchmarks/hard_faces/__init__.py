"""Faces that are hard to find or to tell apart, made of known ones: figures for each condition."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.hard_faces.conditions import CONDITIONS, Condition
from benchmarks.hard_faces.measuring import measured
from benchmarks.hard_faces.people import load_people
from benchmarks.report import Goal, Report
from services.recognition.engine.face_engine import CALIBRATED_SIMILARITY, PROFILES, Engine

GOALS = {
    "plain.found": Goal(">=", 1.0),
    "plain.recall": Goal(">=", 0.95),
    "group_60.found": Goal(">=", 0.95),
    "panorama_40.found": Goal(">=", 0.95),
} | {f"{condition.name}.wrong": Goal("<=", 0) for condition in CONDITIONS}


def evaluate(
    quick: bool,  # noqa: FBT001
    engine: Engine,
    provider: str,
    *,
    labelled: Path,
    model_dir: Path | None = None,
    conditions: Sequence[Condition] = CONDITIONS,
) -> Report:
    """Make the conditions' photos, and analyse them; figures are `condition.figure`.

    Raises `ModelUnusable` where the landmarks' detector is missing.
    """
    calibration = PROFILES[provider].calibration
    people = load_people(engine, calibration, labelled, model_dir)
    report = Report("accuracy_hard", GOALS)
    for condition in conditions:
        tally = measured(
            condition,
            people,
            engine,
            near=calibration.distance_of(CALIBRATED_SIMILARITY),
            quick=quick,
        )
        report.figures |= {
            f"{condition.name}.{key}": figure for key, figure in tally.figures().items()
        }
    return report
