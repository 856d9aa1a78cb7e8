"""What an operator plans with: photos per replica, growth of the database, cost of Rekognition.

Speed is measured with the embedded engine on photos of 12 megapixels with three faces; the
database with rows as the services write them, indexes included; the cost with the planner in use,
on a simulated clock.

python -m benchmarks.capacity [--quick] [--json FILE]
"""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.recognition import compose
from benchmarks.report import Report, main
from benchmarks.stored_event import (
    FACES_PER_PHOTO,
    GUESTS_PER_1000_PHOTOS,
    Growth,
    database_growth,
)
from benchmarks.stored_faces import private_database
from services.gallery.settings import GallerySettings
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import Purpose
from services.recognition.engine.workers import engine_pool
from tests.support.rekognition.timeline import Arrivals, Economical, play

#: A replica as the manifests size it: two cores, a worker on each.
WORKERS = 2
ARRIVAL_MINUTES = (1, 5, 20, 60, 240)


def measure(quick: bool) -> Report:  # noqa: FBT001 - the form of all benchmarks
    """Measure speed and growth, compute the table."""
    report = Report("capacity", {})
    with tempfile.TemporaryDirectory() as folder:
        photos = list(compose(Path(folder), 2 if quick else 6))
        speed = asyncio.run(_photos_per_hour(photos, repeats=4 if quick else 12))
    growth = asyncio.run(_growth(photos=2000 if quick else 20_000))
    costs = _usd_per_1000_photos()
    report.figures = {
        "photos_per_hour_per_replica": round(speed),
        "db_gb_per_million_photos": round(growth.gigabytes_per_million, 2),
        "usd_per_1000_photos_rekognition": round(max(costs.values()), 2),
        "usd_per_1000_photos_rekognition_burst": round(min(costs.values()), 2),
    }
    _print_growth(growth)
    _print_costs(costs)
    return report


async def _photos_per_hour(photos: list[Path], *, repeats: int) -> float:
    """A replica's photos per hour when it does nothing else."""
    async with engine_pool(WORKERS, EmbeddedEngine) as pool:
        await asyncio.gather(*(pool.run(path, Purpose.PHOTO) for path in photos))
        started = time.perf_counter()
        await asyncio.gather(*(pool.run(path, Purpose.PHOTO) for path in photos * repeats))
        seconds = time.perf_counter() - started
    return len(photos) * repeats / seconds * 3600


def _usd_per_1000_photos() -> dict[str, float]:
    """By the time in which they arrive: one IndexFaces a photo and guest, and the searches."""
    price: float = GallerySettings.model_fields["aws_price_per_call"].default
    costs = {}
    for minutes in ARRIVAL_MINUTES:
        photos = [(number * minutes * 60 / 1000, FACES_PER_PHOTO) for number in range(1000)]
        arrivals = Arrivals(photos, selfies=[0.0] * GUESTS_PER_1000_PHOTOS)
        searches = play(arrivals, Economical()).event.searches
        calls = len(photos) + GUESTS_PER_1000_PHOTOS + searches
        costs[f"{minutes} minutes"] = calls * price
    return costs


def _print_costs(costs: Mapping[str, float]) -> None:
    table = Table(title="Rekognition, 1,000 photos", title_justify="left")
    table.add_column("that arrive within")
    table.add_column("dollars", justify="right")
    for time_span, cost in costs.items():
        table.add_row(time_span, f"{cost:.2f}")
    Console().print(table)


async def _growth(*, photos: int) -> Growth:
    async with private_database() as database:
        return await database_growth(database, photos=photos)


def _print_growth(growth: Growth) -> None:
    table = Table(
        title=f"bytes a photo ({FACES_PER_PHOTO} faces, {GUESTS_PER_1000_PHOTOS} guests to 1,000)",
        title_justify="left",
    )
    table.add_column("table")
    table.add_column("bytes", justify="right")
    for name, size in sorted(growth.bytes_by_table.items(), key=lambda item: -item[1]):
        if size > 0:
            table.add_row(name, f"{size / growth.photos:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main(measure)
