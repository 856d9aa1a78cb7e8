"""The main job, standalone: photos uploaded, analysed, matched and seen by their guests.

python -m benchmarks.pipeline [--quick] [--json FILE]
"""

import asyncio
import secrets
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.process_tree import peak_memory
from benchmarks.report import Goal, Report, main
from demo.command import compose_cast, make_place, print_report
from demo.scenario import run_scenario
from demo.server import running_server, temporary_data_dir
from services.recognition.engine.embed.dlib import MODEL_NAME, DlibEmbedder
from services.recognition.engine.models.files import dlib_file
from standalone.settings import StandaloneSettings

PHOTOS = 100
QUICK_PHOTOS = 20
EMBEDDED_FACES = 16
EMBED_ROUNDS = 3
#: Composed photos are kept here between runs.
CACHE = Path(tempfile.gettempdir()) / "findme-benchmark-photos"

GOALS = {
    "seconds_100_photos": Goal("<=", 9),
    "upload_seconds_100": Goal("<=", 5),
    "peak_rss_mb": Goal("<=", 1500),
    "embed_ratio_vs_dlib": Goal("<=", 0.15),
}


def measure(quick: bool) -> Report:  # noqa: FBT001 - the form of all benchmarks
    """Run the scenario on a fresh data folder; figures for 100 photos are scaled by --quick."""
    report = Report("pipeline", GOALS)
    console = Console()
    count = QUICK_PHOTOS if quick else PHOTOS
    run = secrets.token_hex(4)
    password = f"{secrets.token_urlsafe(12)}A1!"
    CACHE.mkdir(exist_ok=True)
    cast = compose_cast(CACHE, count, run, console)
    with temporary_data_dir() as folder:
        settings = StandaloneSettings(findme_data_dir=folder)
        with (
            running_server(settings.data_dir) as server,
            peak_memory([server.process.pid], postgres_data=settings.data_dir / "postgres") as peak,
        ):
            place = asyncio.run(make_place(settings, server.url, run=run, password=password))
            result = asyncio.run(run_scenario(place, cast.photos, cast.guests, password=password))
    print_report(result, console)
    scale = PHOTOS / count
    report.figures = {
        "photos_per_second": round(result.photos_per_second, 2),
        "seconds_100_photos": round(result.total_seconds * scale, 2),
        "upload_seconds_100": round(result.upload_seconds * scale, 2),
        "match_latency_p50_s": round(result.median_latency, 2),
        "match_latency_worst_s": round(result.worst_latency, 2),
        "peak_rss_mb": round(peak.megabytes, 1),
        "precision": round(result.precision, 4),
        "recall": round(result.recall, 4),
        "embed_ratio_vs_dlib": round(embed_ratio(), 4),
    }
    return report


def embed_ratio() -> float:
    """Return ONNX Runtime's time per face over dlib's, medians of interleaved rounds."""
    import dlib

    network = dlib.face_recognition_model_v1(str(dlib_file(MODEL_NAME)))
    chips = np.random.default_rng(1).integers(0, 256, (EMBEDDED_FACES, 150, 150, 3), dtype=np.uint8)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        embedder = DlibEmbedder(Path(folder))
        embedder.embed(chips)
        for _ in range(EMBED_ROUNDS):
            started = time.perf_counter()
            for chip in chips:
                network.compute_face_descriptor(chip)
            between = time.perf_counter()
            embedder.embed(chips)
            ratios.append((time.perf_counter() - between) / (between - started))
    return float(np.median(ratios))


if __name__ == "__main__":
    main(measure)
