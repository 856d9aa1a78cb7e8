"""The recognition core: speed and found faces beside `face_recognition`, and many stored faces.

`face_recognition` is a thin layer over dlib; what its README shows is done here with dlib itself:
load the image, HOG on the whole photo enlarged once, five landmarks, dlib's network. The engine
runs in two worker processes.

python -m benchmarks.recognition [--quick] [--json FILE]
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import dlib
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.pipeline import embed_ratio
from benchmarks.report import Goal, Report, main
from benchmarks.stored_faces import LateSelfies, cost_growth, late_selfies, private_database
from demo import scenes
from services.recognition.engine.embed.dlib import MODEL_NAME
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import Purpose
from services.recognition.engine.models.files import dlib_file
from services.recognition.engine.workers import engine_pool

GOALS = {
    "ratio_vs_face_recognition": Goal(">=", 45),
    "faces_found_ratio": Goal(">=", 1.0),
    "embed_ratio_vs_dlib": Goal("<=", 0.1),
    "late_selfie_1m_s": Goal("<=", 1.2),
    "late_selfie_extra_mb": Goal("<=", 300),
    "cost_growth_ratio": Goal("<=", 1.2),
}
WORKERS = 2

#: Heads in pixels of a photo of 4000 x 3000: near, further, and at the back.
HEADS = ((700, 1000), (400, 600), (250, 350))
LARGEST_TILT = 20.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much is measured."""

    photos: int
    repeats: int
    stored_faces: int
    event_photos: int
    guests: int


FULL = Load(photos=6, repeats=8, stored_faces=1_000_000, event_photos=100_000, guests=2000)
QUICK = Load(photos=2, repeats=6, stored_faces=100_000, event_photos=2000, guests=200)


@dataclass(slots=True)
class Tally:
    """One way's seconds per photo, and how many of the true faces it found."""

    seconds: list[float] = field(default_factory=list)
    found: int = 0


def measure(quick: bool) -> Report:  # noqa: FBT001
    load = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        photos = compose(Path(folder), load.photos)
        tallies = asyncio.run(compare(photos, load.repeats))
    _print(tallies, faces=load.photos * len(HEADS))
    reference, best = tallies["face_recognition"], tallies["embedded"]
    late, growth = asyncio.run(_stored(load, analysis_seconds=median(best.seconds) * WORKERS))
    report = Report("recognition", GOALS)
    report.figures = {
        "photos_per_second": round(1 / median(best.seconds), 2),
        "ratio_vs_face_recognition": round(median(reference.seconds) / median(best.seconds), 1),
        "faces_found_ratio": round(best.found / max(1, reference.found), 3),
        "embed_ratio_vs_dlib": round(embed_ratio(), 4),
        "late_selfie_first_1m_s": round(late.first_seconds, 2),
        "late_selfie_1m_s": round(late.seconds, 2),
        "late_selfie_extra_mb": round(late.extra_mb, 1),
        "cost_growth_ratio": round(growth, 3),
    }
    return report


def compose(folder: Path, count: int) -> dict[Path, scenes.SceneSpec]:
    """Photos of 12 megapixels with three people at three distances."""
    rng = random.Random("recognition")
    photos = {}
    for number in range(count):
        names = rng.sample(list(scenes.PEOPLE), len(HEADS))
        people = tuple(
            scenes.Placement(
                person=name,
                x=(place + 0.5) / len(HEADS),
                y=rng.uniform(0.35, 0.5),
                head_height=rng.uniform(*HEADS[(place + number) % len(HEADS)]) / 3000,
                flip=rng.random() < 0.5,
                tilt=rng.uniform(-LARGEST_TILT, LARGEST_TILT),
            )
            for place, name in enumerate(names)
        )
        spec = scenes.SceneSpec(number, rng.choice(list(scenes.Backdrop)), people)
        path = folder / f"{number}.jpg"
        scenes.write_jpeg(scenes.compose(spec), path)
        photos[path] = spec
    return photos


async def compare(photos: Mapping[Path, scenes.SceneSpec], repeats: int) -> dict[str, Tally]:
    """Both ways on every photo in turn."""
    reference = Reference()
    tallies = {name: Tally() for name in ("face_recognition", "embedded")}
    async with engine_pool(WORKERS, EmbeddedEngine) as pool:
        for path, spec in photos.items():
            started = time.perf_counter()
            centres = reference.analyze(path)
            tallies["face_recognition"].seconds.append(time.perf_counter() - started)
            tallies["face_recognition"].found += faces_found(spec, centres)
            started = time.perf_counter()
            analyses = await asyncio.gather(
                *(pool.run(path, Purpose.PHOTO) for _ in range(repeats))
            )
            tallies["embedded"].seconds.append((time.perf_counter() - started) / repeats)
            centres = [
                (face.left + face.width / 2, face.top + face.height / 2)
                for face in analyses[0].faces
            ]
            tallies["embedded"].found += faces_found(spec, centres)
    return tallies


class Reference:
    """What `face_recognition` does for load_image_file, face_locations, face_encodings."""

    def __init__(self) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(
            str(dlib_file("shape_predictor_5_face_landmarks.dat"))
        )
        self._network = dlib.face_recognition_model_v1(str(dlib_file(MODEL_NAME)))

    def analyze(self, path: Path) -> list[tuple[float, float]]:
        """The centres of the faces, in fractions of the photo; embeddings are dropped."""
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
        height, width = pixels.shape[:2]
        centres = []
        for box in self._detector(pixels, 1):
            self._network.compute_face_descriptor(pixels, self._landmarks(pixels, box), 1)
            centres.append((box.center().x / width, box.center().y / height))
        return centres


def faces_found(spec: scenes.SceneSpec, centres: list[tuple[float, float]]) -> int:
    """How many of the scene's people have a found face in the middle of their head."""
    width, height = spec.size
    return sum(
        any(
            abs(x - person.x) * width + abs(y - person.y) * height
            < person.head_height * min(spec.size) * 0.6
            for x, y in centres
        )
        for person in spec.people
    )


async def _stored(load: Load, *, analysis_seconds: float) -> tuple[LateSelfies, float]:
    async with private_database() as database:
        late = await late_selfies(database, load.stored_faces)
        growth = await cost_growth(
            database,
            photos=load.event_photos,
            guests=load.guests,
            analysis_seconds=analysis_seconds,
        )
    return late, growth


def _print(tallies: Mapping[str, Tally], *, faces: int) -> None:
    table = Table(title=f"12 MP, {faces} true faces", title_justify="left")
    for heading in ("way", "seconds a photo", "faces found"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for name, tally in tallies.items():
        table.add_row(name, f"{median(tally.seconds):.3f}", str(tally.found))
    Console().print(table)


if __name__ == "__main__":
    main(measure)
