"""How long a guest's selfie and a photo take while strangers have pictures checked all the time.

Two workers with the embedded engine, and eight loops that send the most expensive picture that a
selfie may be: 25 megapixels of lossless WebP in 38 bytes. In turn nobody else is there, all are in
one line (as before visitors had a share of their own), and each kind has its share.

python -m benchmarks.anonymous_checks [--quick] [--json FILE]
"""

import asyncio
import struct
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.report import Goal, Report, main
from libs.common.errors import Unavailable
from libs.common.images.known_good import KNOWN_GOOD
from libs.common.workers.line import Share
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import Purpose
from services.recognition.engine.workers import PHOTOS, SELFIES, SHARES, VISITORS, engine_pool
from services.recognition.selfies.routes import Analyze, verdict_on

WORKERS = 2
LOOPS = 8
SIDE = 5000
GOALS = {
    "speedup_guest": Goal(">=", 2),
    "speedup_photo": Goal(">=", 2),
}

Check = Callable[[Path], Awaitable[object]]


@dataclass(slots=True)
class Measured:
    """Seconds of each check and photo, and how many pictures the strangers had checked."""

    guest: list[float] = field(default_factory=list)
    photo: list[float] = field(default_factory=list)
    strangers: int = 0


def measure(quick: bool) -> Report:  # noqa: FBT001 - the form of all benchmarks
    """Measure the three in turn, as often as there is time for."""
    return asyncio.run(_measure(rounds=1 if quick else 3, each=2 if quick else 5))


async def _measure(*, rounds: int, each: int) -> Report:
    seen: dict[str, Measured] = {name: Measured() for name in ("alone", "one_line", "shares")}
    with tempfile.TemporaryDirectory(prefix="findme-bench-") as folder:
        picture = Path(folder) / "stranger.webp"
        picture.write_bytes(_expensive_picture())
        async with engine_pool(WORKERS, EmbeddedEngine) as pool:
            one: dict[Share, Analyze] = dict.fromkeys(SHARES, partial(pool.run_as, PHOTOS))
            apart: dict[Share, Analyze] = {share: partial(pool.run_as, share) for share in SHARES}
            ways: dict[str, tuple[int, dict[Share, Analyze]]] = {
                "alone": (0, apart),
                "one_line": (LOOPS, one),
                "shares": (LOOPS, apart),
            }
            for _ in range(rounds):
                for name, (loops, analyze) in ways.items():
                    check = partial(verdict_on, analyze=analyze[VISITORS], engine=None)
                    async with _strangers(loops, check, picture, seen[name]):
                        await _look(analyze, seen[name], times=each)
    return _reported(seen)


@asynccontextmanager
async def _strangers(
    loops: int, check: Check, picture: Path, seen: Measured
) -> AsyncIterator[None]:
    is_over = False

    async def again_and_again() -> None:
        while not is_over:
            with suppress(Unavailable):
                await check(picture)
                seen.strangers += 1

    tasks = [asyncio.create_task(again_and_again()) for _ in range(loops)]
    await asyncio.sleep(0.5 if loops else 0)  # until the line is there
    try:
        yield
    finally:
        # Not cancelled: that would kill their workers, and the next would wait for new ones.
        is_over = True
        await asyncio.gather(*tasks)


async def _look(analyze: dict[Share, Analyze], seen: Measured, *, times: int) -> None:
    for _ in range(times):
        started = time.perf_counter()
        await verdict_on(KNOWN_GOOD, analyze[SELFIES], engine=None)
        seen.guest.append(time.perf_counter() - started)
        started = time.perf_counter()
        await analyze[PHOTOS](KNOWN_GOOD, Purpose.PHOTO)
        seen.photo.append(time.perf_counter() - started)


def _expensive_picture() -> bytes:
    """A lossless WebP of one colour: all codes are of no bits."""
    bits = (SIDE - 1) | (SIDE - 1) << 14
    # No transform, no cache, no further codes, then five codes of one symbol each.
    coded = b"\x2f" + struct.pack("<I", bits) + bytes([0x88, 0x88, 0x08]) + bytes(10)
    body = b"WEBPVP8L" + struct.pack("<I", len(coded)) + coded
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _reported(seen: dict[str, Measured]) -> Report:
    report = Report("anonymous_checks", GOALS)
    for who in ("guest", "photo"):
        times = {name: median(getattr(each, who)) for name, each in seen.items()}
        for name, seconds in times.items():
            report.figures[f"{who}_{name}_s"] = round(seconds, 3)
        report.figures[f"ratio_{who}"] = round(times["shares"] / times["alone"], 2)
        report.figures[f"ratio_{who}_one_line"] = round(times["one_line"] / times["alone"], 2)
        report.figures[f"speedup_{who}"] = round(times["one_line"] / times["shares"], 2)
    for name in ("one_line", "shares"):
        report.figures[f"strangers_{name}"] = seen[name].strangers
    return report


if __name__ == "__main__":
    main(measure)
