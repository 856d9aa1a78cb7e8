"""Photos come in: as forms, as bodies and by tus, beside nginx's WebDAV PUT, and the memory.

100 JPEGs of 5 MB on 8 connections, each way in turn and nginx in the same run; ratios are of
medians. By tus each photo is created and then sent, in pieces of 8 MB at most. nginx neither hashes
nor syncs what it stores, nor has it a database. Then 200 uploads of 20 MB at once, of which ingest
reads 32.
"""

import asyncio
import shutil
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.ingest.senders import Photo, Way, by_form, by_put, by_tus, seconds_for
from benchmarks.ingest.servers import forget_peak, ingest, nginx, peak_rss_bytes
from benchmarks.media.servers import Server
from benchmarks.private_services import PrivateServices, private_services
from benchmarks.report import Goal, Report
from libs.common.database.database import Database
from libs.common.web.auth import Role
from tests.support.people import bearer, issue_token
from tests.support.rows import Rows

GOALS = {
    "seconds_100x5mb": Goal("<=", 5),
    "ratio_vs_nginx_put": Goal(">=", 0.46),
    "ratio_put_vs_nginx_put": Goal(">=", 0.6),
    "ratio_tus_vs_nginx_put": Goal(">=", 0.4),
    "peak_rss_mb": Goal("<=", 150),
    "peak_rss_200x20mb_mb": Goal("<=", 200),
}
MEGABYTE = 1024 * 1024
CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """Photos of a round, rounds, and the uploads that are in flight at once."""

    photos: int
    rounds: int
    in_flight: int


def measure(quick: bool) -> Report:  # noqa: FBT001 - as `main` calls it
    """Measure all ways, interleaved."""
    return asyncio.run(_measure(Plan(24, 3, 64) if quick else Plan(100, 5, 200)))


async def _measure(plan: Plan) -> Report:
    report = Report("ingest", GOALS)
    with TemporaryDirectory(prefix="findme-bench-") as name:
        objects, plain = Path(name) / "objects", Path(name) / "plain"
        async with private_services() as services, _event(services) as (event_id, headers):
            with ingest(services, objects) as ours, nginx(plain) as theirs:
                form = by_form(f"/api/photographer/events/{event_id}/upload-photos", headers)
                put = by_put(lambda n: f"/api/events/{event_id}/photos/{n}.jpg", headers)
                tus = by_tus(event_id, headers)
                copy = by_put(lambda n: f"/{n}.jpg", {})
                small = Photo.of(5 * MEGABYTE)
                seconds = await asyncio.to_thread(
                    _in_turn,
                    {
                        "form": (ours, form),
                        "put": (ours, put),
                        "tus": (ours, tus),
                        "nginx": (theirs, copy),
                    },
                    small,
                    plan,
                    [objects, plain],
                )
                report.figures["peak_rss_mb"] = round(peak_rss_bytes(ours.pid) / 1e6)
                _print(seconds)
                median = {way: statistics.median(taken) for way, taken in seconds.items()}
                of_hundred = 100 / plan.photos
                report.figures["seconds_100x5mb"] = round(median["form"] * of_hundred, 2)
                report.figures["seconds_put_100x5mb"] = round(median["put"] * of_hundred, 2)
                report.figures["seconds_nginx_100x5mb"] = round(median["nginx"] * of_hundred, 2)
                report.figures["ratio_vs_nginx_put"] = round(median["nginx"] / median["form"], 3)
                report.figures["ratio_put_vs_nginx_put"] = round(median["nginx"] / median["put"], 3)
                report.figures["seconds_tus_100x5mb"] = round(median["tus"] * of_hundred, 2)
                report.figures["ratio_tus_vs_nginx_put"] = round(median["nginx"] / median["tus"], 3)
                peaks = []
                for way in (form, put, tus):
                    forget_peak(ours.pid)
                    await asyncio.to_thread(
                        seconds_for,
                        ours.url,
                        way,
                        Photo.of(20 * MEGABYTE),
                        count=plan.in_flight,
                        connections=plan.in_flight,
                    )
                    peaks.append(peak_rss_bytes(ours.pid))
                    _empty(objects)
                report.figures["peak_rss_200x20mb_mb"] = round(max(peaks) / 1e6)
    return report


def _in_turn(
    ways: dict[str, tuple[Server, Way]], photo: Photo, plan: Plan, folders: list[Path]
) -> dict[str, list[float]]:
    """Return the seconds of each round by way; the first round, which warms up, is left out."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(plan.rounds + 1):
        for name, (server, way) in ways.items():
            taken = seconds_for(
                server.url,
                way,
                photo,
                count=plan.photos if number else CONNECTIONS,
                connections=CONNECTIONS,
            )
            if number:
                seconds[name].append(taken)
            for folder in folders:
                _empty(folder)
    return seconds


def _empty(folder: Path) -> None:
    """Remove the files: gigabytes of them would be written to the disk while others are sent."""
    for path in folder.iterdir():
        if path.is_dir() and not path.name.startswith("."):
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


@asynccontextmanager
async def _event(services: PrivateServices) -> AsyncIterator[tuple[int, dict[str, str]]]:
    """Yield an event, and the headers of its photographer's requests."""
    settings = services.settings()
    async with Database.open(settings) as database:
        rows = Rows(database)
        photographer = await rows.person(Role.PHOTOGRAPHER)
        event_id = await rows.event(photographer)
        token = issue_token(photographer.id, Role.PHOTOGRAPHER, keys=settings.signing_keys)
        yield event_id, bearer(token)


def _print(seconds: dict[str, list[float]]) -> None:
    for way, taken in seconds.items():
        Console().print(f"{way}: {', '.join(f'{one:.2f}' for one in taken)} s")
