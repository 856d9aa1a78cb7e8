"""A thumbnail of a photo of 12 megapixels, as a worker makes it."""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

from PIL import Image

from benchmarks.media.plan import Plan
from benchmarks.private_services import PrivateServices
from benchmarks.report import Report
from libs.common.images.sizes import SIDES_PX
from services.media.renditions.decoding import Make
from services.media.renditions.rendition_worker import prepared

SIZE_PX = (4000, 3000)
QUALITY = 90


async def measure(_: PrivateServices, plan: Plan, report: Report) -> None:
    """Make it several times in this process, after a first one that loads the libraries."""
    report.figures["thumbnail_ms_12mp"] = await asyncio.to_thread(_median_ms, plan.rounds)


def _median_ms(rounds: int) -> float:
    make = prepared()
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        # Between noise and a gradient, as photos are: as long as one of that size and quality.
        noise = Image.effect_noise((SIZE_PX[0] // 4, SIZE_PX[1] // 4), 40).resize(SIZE_PX)
        noise.convert("RGB").save(file.name, "JPEG", quality=QUALITY)
        taken = [_made_ms(make, Path(file.name)) for _ in range(rounds + 1)]
    return round(median(taken[1:]), 1)


def _made_ms(make: Make, path: Path) -> float:
    started = time.perf_counter()
    make(str(path), SIDES_PX["thumbnail"], 100_000_000)
    return (time.perf_counter() - started) * 1e3
