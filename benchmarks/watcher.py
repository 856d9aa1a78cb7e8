"""The folder watcher: 10,000 files found and compared, and what it takes when nothing happens.

The server is a real ingest in another process, on a private database.
"""

import asyncio
import hashlib
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import insert

from benchmarks.private_services import SECRET_KEY, private_services
from benchmarks.report import Goal, Report, main
from libs.common.database.database import Database
from libs.common.database.tables import photos
from libs.common.web.auth import Role
from tests.faults.processes import Fleet
from tests.support.rows import Rows, new_filename
from tests.support.tiny_jpeg import tiny_jpeg
from tests.watcher.conftest import key_of

CLIENT = Path(__file__).parents[1] / "clients/watcher"
FILES = 10_000
#: Of a photo from a phone's messenger; what it is made of says nothing of how it is compared.
FILE_BYTES = 100_000
IDLE_SECONDS = 60.0
GOALS = {
    "first_start_seconds": Goal("<=", 20),
    "next_start_seconds": Goal("<=", 20),
    "idle_percent_of_a_core": Goal("<=", 2),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of photos that the event has already, and how the watcher is called."""

    folder: Path
    command: list[str]
    environment: dict[str, str]


def measure(quick: bool) -> Report:  # noqa: FBT001
    """All of it."""
    return asyncio.run(_measure(FILES // 10 if quick else FILES, 10 if quick else IDLE_SECONDS))


async def _measure(count: int, idle_seconds: float) -> Report:
    report = Report("watcher", GOALS)
    async with _place(count) as place:
        # Nothing is remembered: every file is read, and the event is asked about it.
        report.figures["first_start_seconds"] = await _seconds_once(place)
        report.figures["next_start_seconds"] = await _seconds_once(place)
        report.figures["idle_percent_of_a_core"] = await _idle_percent(place, idle_seconds)
        report.figures["files"] = count
    return report


@asynccontextmanager
async def _place(count: int) -> AsyncIterator[Place]:
    async with private_services() as private:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "photos"
            folder.mkdir()
            environment = os.environ | {
                "DATABASE_URL": private.database_url,
                "AMQP_URL": private.amqp_url,
                "SECRET_KEY": SECRET_KEY,
                "PHOTO_STORE_DIR": str(Path(temporary) / "objects"),
            }
            async with (
                Database.open(private.settings(), name="benchmark") as database,
                Fleet(environment, Path(temporary) / "logs") as fleet,
            ):
                rows = Rows(database)
                photographer = await rows.person(Role.PHOTOGRAPHER)
                event_id = await rows.event(photographer)
                await _fill(folder, count, rows, event_id)
                key = await key_of(rows, photographer.id)
                ingest = await fleet.add("ingest", "services.ingest")
                await ingest.up()
                yield Place(
                    folder,
                    [
                        sys.executable,
                        "-m",
                        "findme_watch",
                        str(folder),
                        *("--url", ingest.url, "--event", str(event_id), "--json"),
                        *("--state", str(Path(temporary) / "state/manifest.sqlite3")),
                    ],
                    os.environ | {"PYTHONPATH": str(CLIENT), "FINDME_KEY": key},
                )


async def _fill(folder: Path, count: int, rows: Rows, event_id: int) -> None:
    """Write the files, as of yesterday, and their rows."""
    rng = random.Random(1)
    yesterday = time.time() - 86400
    values: list[dict[str, object]] = []
    for number in range(count):
        picture = tiny_jpeg(f"photo {number}")
        content = picture[:-2] + rng.randbytes(FILE_BYTES).replace(b"\xff", b"\xfe") + b"\xff\xd9"
        path = folder / f"IMG_{number:05}.JPG"
        path.write_bytes(content)
        os.utime(path, (yesterday, yesterday))
        values.append(
            {
                "event_id": event_id,
                "filename": new_filename(),
                "original_filename": path.name,
                "content_type": "image/jpeg",
                "sha256": hashlib.sha256(content).digest(),
                "crc32": 0,
                "size_bytes": len(content),
                "width": 32,
                "height": 24,
            }
        )
    await rows.execute(insert(photos), values)


async def _seconds_once(place: Place) -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *place.command, "--once", env=place.environment, stdout=asyncio.subprocess.DEVNULL
    )
    if status := await process.wait():
        msg = f"findme-watch ended with {status}"
        raise RuntimeError(msg)
    return time.perf_counter() - began


async def _idle_percent(place: Place, seconds: float) -> float:
    """Return its processor time, without its start, as a share of one core."""
    process = await asyncio.create_subprocess_exec(
        *place.command, env=place.environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await asyncio.sleep(10)
        before = psutil.Process(process.pid).cpu_times()
        await asyncio.sleep(seconds)
        after = psutil.Process(process.pid).cpu_times()
    finally:
        process.terminate()
        await process.wait()
    used = float(after.user + after.system - before.user - before.system)
    return 100 * used / seconds


if __name__ == "__main__":
    main(measure)
