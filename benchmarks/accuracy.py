"""How well an engine tells people apart, on any labelled pairs of images.

`python -m benchmarks.accuracy --pairs pairs.csv --images folder` runs a set of your own (columns
image1, image2, same: 1 or 0). Without them: composed selfies and, where it lies beside the
repository, the labelled set of photos. `--hard`: faces of the same people that are made small,
covered, blurred or turned, in photos with known places (`hard_faces`).
"""

import argparse
import csv
import itertools
import json
import math
import statistics
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import hard_faces
from benchmarks.report import Goal, Report, finish
from demo import scenes
from services.recognition.engine.decode import PIXEL_LIMIT
from services.recognition.engine.engines import ENGINES, make_engine
from services.recognition.engine.face_engine import (
    CALIBRATED_SIMILARITY,
    PROFILES,
    Engine,
    FloatArray,
    PhotoAnalysis,
)

GOALS = {
    "precision": Goal(">=", 1.0),
    "recall": Goal(">=", 0.95),
    "false_match_rate": Goal("<=", 1e-4),
}
LABELLED = Path(__file__).resolve().parents[1].parent / "shared" / "faces"
SELFIES_PER_PERSON, SELFIES_PER_PERSON_QUICK = 6, 2
ROC_RATES = (1e-1, 1e-2, 1e-3, 1e-4)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images, and whether they show the same person."""

    one: Path
    other: Path
    same: bool


@dataclass(frozen=True, slots=True)
class Scores:
    """Similarities of the pairs whose faces were found, and how many pairs were not scored."""

    same: list[float]
    different: list[float]
    different_distances: list[float]
    unscored: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, help="CSV with the columns image1, image2, same")
    parser.add_argument("--images", type=Path, default=Path(), help="folder of the CSV's images")
    parser.add_argument("--hard", action="store_true", help="hard faces, by condition")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="embedded")
    parser.add_argument("--model-dir", type=Path, help="folder of model files")
    parser.add_argument("--detector", type=Path, help="a YuNet model file")
    parser.add_argument("--quick", action="store_true", help="smaller data, within a minute")
    parser.add_argument("--json", type=Path, help="write the last line there too")
    given = parser.parse_args()
    engine = make_engine(
        given.engine,
        model_dir=given.model_dir,
        detector_model=given.detector,
        pixel_limit=PIXEL_LIMIT,
    )
    if given.pairs:
        scores = score(read_pairs(given.pairs, given.images), engine, given.engine)
        report = evaluate(scores)
    elif given.hard:
        report = hard_faces.evaluate(
            given.quick, engine, given.engine, labelled=LABELLED, model_dir=given.model_dir
        )
    else:
        report = measure(given.quick, engine, given.engine)
    finish(report, given.json)


def measure(quick: bool, engine: Engine, provider: str) -> Report:  # noqa: FBT001
    """Compare composed selfies, and the labelled photos where they are."""
    count = SELFIES_PER_PERSON_QUICK if quick else SELFIES_PER_PERSON
    with tempfile.TemporaryDirectory() as folder:
        pairs = [*composed_pairs(Path(folder), count), *labelled_pairs(LABELLED)]
        return evaluate(score(pairs, engine, provider))


def read_pairs(file: Path, images: Path) -> list[Pair]:
    with file.open(newline="") as lines:
        return [
            Pair(images / row["image1"], images / row["image2"], row["same"].strip() == "1")
            for row in csv.DictReader(lines)
        ]


def composed_pairs(folder: Path, selfies: int) -> list[Pair]:
    people: dict[Path, str] = {}
    for person in scenes.PEOPLE:
        for seed in range(selfies):
            path = folder / f"{person}-{seed}.jpg"
            path.write_bytes(scenes.selfie(person, seed))
            people[path] = person
    return _all_pairs(people)


def labelled_pairs(folder: Path) -> list[Pair]:
    """All pairs of the set's images with one person; none where there is no set."""
    labels = folder / "labels.json"
    if not labels.is_file():
        return []
    data = json.loads(labels.read_text())
    people = {folder / path: person for person, path in data["selfies"].items()}
    people |= {folder / path: names[0] for path, names in data["photos"].items() if len(names) == 1}
    return _all_pairs(people)


def _all_pairs(people: dict[Path, str]) -> list[Pair]:
    return [
        Pair(one, other, people[one] == people[other])
        for one, other in itertools.combinations(people, 2)
    ]


def score(pairs: Iterable[Pair], engine: Engine, provider: str) -> Scores:
    """Compare the largest face of each pair's images; each image is analysed once."""
    calibration = PROFILES[provider].calibration
    found: dict[Path, FloatArray | None] = {}
    scores = Scores([], [], [], 0)
    unscored = 0
    for pair in pairs:
        for path in (pair.one, pair.other):
            if path not in found:
                found[path] = _largest_face(engine.analyze(path))
        one, other = found[pair.one], found[pair.other]
        if one is None or other is None:
            unscored += 1
            continue
        distance = float(np.linalg.norm(one - other))
        (scores.same if pair.same else scores.different).append(calibration.similarity(distance))
        if not pair.same:
            scores.different_distances.append(distance)
    return Scores(scores.same, scores.different, scores.different_distances, unscored)


def _largest_face(analysis: PhotoAnalysis) -> FloatArray | None:
    if not analysis.faces:
        return None
    return max(analysis.faces, key=lambda face: face.width * face.height).embedding


def evaluate(scores: Scores) -> Report:
    """Print the curve and what can be claimed; return the figures at the default threshold."""
    same, different = np.array(scores.same), np.array(scores.different)
    threshold = CALIBRATED_SIMILARITY
    true, false = int((same >= threshold).sum()), int((different >= threshold).sum())
    _print_curve(same, different)
    console = Console()
    console.print(f"{len(same)} same, {len(different)} different, {scores.unscored} without a face")
    console.print(
        f"{false} false matches of {len(different)}: at 95 % confidence the rate is at most "
        f"{upper_bound(false, len(different)):.2g} if the pairs were independent"
    )
    if len(scores.different_distances) > 2:
        mean = statistics.fmean(scores.different_distances)
        deviation = statistics.stdev(scores.different_distances)
        console.print(f"different people's distances: mean {mean:.3f}, deviation {deviation:.3f}")
    report = Report("accuracy", GOALS)
    report.figures = {
        "accuracy": round((true + len(different) - false) / max(1, len(same) + len(different)), 5),
        "threshold": threshold,
        "precision": round(true / max(1, true + false), 5),
        "recall": round(true / max(1, len(same)), 5),
        "false_match_rate": round(false / max(1, len(different)), 7),
    }
    return report


def upper_bound(events: int, trials: int) -> float:
    """95 % upper bound of a rate: the rule of three for none, else Wilson's."""
    if not trials:
        return 1.0
    if not events:
        return min(1.0, 3 / trials)
    z, rate = 1.645, events / trials
    middle = rate + z * z / (2 * trials)
    spread = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    return min(1.0, (middle + spread) / (1 + z * z / trials))


def _print_curve(
    same: np.ndarray[tuple[int], np.dtype[np.float64]],
    different: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    table = Table(
        title="ROC: the lowest threshold with that false match rate", title_justify="left"
    )
    for heading in ("false match rate", "threshold", "recall"):
        table.add_column(heading, justify="right")
    ranked = np.sort(different)[::-1]
    for rate in ROC_RATES:
        allowed = int(rate * len(ranked))
        if not len(ranked) or (allowed == 0 and rate * len(ranked) < 1):
            table.add_row(f"{rate:g}", "too few pairs", "")
            continue
        lowest = float(np.nextafter(ranked[allowed], 101.0)) if allowed < len(ranked) else 0.0
        recall = float((same >= lowest).mean()) if len(same) else math.nan
        table.add_row(f"{rate:g}", f"{lowest:.2f}", f"{recall:.4f}")
    Console().print(table)


if __name__ == "__main__":
    main()
