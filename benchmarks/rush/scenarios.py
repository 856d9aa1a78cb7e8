"""The scenarios in turn, on one system: A, A+, C, and B after a restart and once more."""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import uvloop
from rich.console import Console
from sqlalchemy import text

from benchmarks.process_tree import peak_memory
from benchmarks.report import Goal, Report
from benchmarks.rush import livez
from benchmarks.rush.client import Tally
from benchmarks.rush.evening import look_at_photos
from benchmarks.rush.guests import Guest, Place, come, come_without_password
from benchmarks.rush.photographer import Photographer
from benchmarks.rush.pictures import Pictures, draw_pictures
from benchmarks.rush.priority import PatientLoop
from benchmarks.rush.servers import Running, System, standalone_system, system_apart
from benchmarks.rush.streams import many_streams
from libs.common.web.auth import Role
from libs.common.web.serve import open_many_files
from services.gallery.accounts.rules import NewAccount
from standalone.operators import add_account, add_event
from tests.support.small_event import PASSWORD

#: A guest's way to their photos.
Way = Callable[[Guest, Place, Tally], Coroutine[Any, Any, None]]

#: The client must not take from the server what it measures.
NICENESS = 10
SECONDS_PER_PHOTO = 1.0
SECONDS_PER_LIVE_PHOTO = 0.4

GOALS = {
    "qr_to_photos_p50_s": Goal("<=", 1.3),
    "qr_to_photos_p95_s": Goal("<=", 1.8),
    "qr_to_photos_worst_s": Goal("<=", 2.5),
    "errors": Goal("<=", 0),
    "photo_match_p95_s": Goal("<=", 1),
    "crowd_p95_s": Goal("<=", 15),
    "crowd_join_p95_s": Goal("<=", 15),
    "evening_cold_p50_s": Goal("<=", 7),
    "evening_cold_worst_s": Goal("<=", 9),
    "livez_worst_ms": Goal("<=", 300),
    "stream_p99_ms": Goal("<=", 50),
    "stream_card_p99_ms": Goal("<=", 50),
    "stream_kb": Goal("<=", 40),
    "peak_pss_mb": Goal("<=", 1200),
}
_FINISHED = text(
    "SELECT id, extract(epoch FROM finished_at)::float8 AS moment FROM photos"
    " WHERE finished_at IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    photos_before: int = 200
    guests: int = 300
    minute: float = 60.0
    quarter: float = 15.0
    photos_live: int = 50
    photos_in_all: int = 600
    thumbnails: int = 100


#: A tenth of a minute's crowd in a tenth of the time: as many come at the same time.
QUICK = Size(
    photos_before=20,
    guests=30,
    minute=6.0,
    quarter=1.5,
    photos_live=10,
    photos_in_all=60,
    thumbnails=100,
)


@dataclass(slots=True)
class Rush:
    """What happens on one system, and what was seen."""

    size: Size
    pictures: Pictures
    report: Report
    tally: Tally = field(default_factory=Tally)
    guests: list[Guest] = field(default_factory=list)
    livez_worst_ms: list[float] = field(default_factory=list)

    async def guests_come(
        self, place: Place, *, within_seconds: float, by: Way = come
    ) -> list[Guest]:
        """Let them come one after the other, evenly; return those of this time."""
        first = len(self.guests)
        run = secrets.token_hex(3)
        coming = [
            Guest(f"guest-{run}-{number}", self.pictures.selfie(first + number))
            for number in range(self.size.guests)
        ]
        self.guests += coming
        async with asyncio.TaskGroup() as group:
            for guest in coming:
                group.create_task(by(guest, place, self.tally))
                await asyncio.sleep(within_seconds / len(coming))
        return coming

    def note(
        self, name: str, seconds: Sequence[float], *, scale: float = 1, unit: str = "s"
    ) -> None:
        """Report the median, the 95th percentile and the worst."""
        ordered = sorted(seconds)
        if not ordered:
            raise RuntimeError(f"nothing was measured for {name}: {self.tally.failed[:3]}")
        figures = {"p50": median(ordered), "p95": _share(ordered, 0.95), "worst": ordered[-1]}
        for figure, value in figures.items():
            self.report.figures[f"{name}_{figure}_{unit}"] = round(value * scale, 3)


def measure(quick: bool, *, apart: bool = False) -> Report:  # noqa: FBT001 - the form of all
    """Play all of it; `apart` on the four services with RabbitMQ."""
    open_many_files()
    return uvloop.run(_measure(QUICK if quick else Size(), apart=apart))


async def _measure(size: Size, *, apart: bool) -> Report:
    report = Report("rush", GOALS)
    rush = Rush(size, draw_pictures(), report)
    async with (
        PatientLoop(NICENESS) as loop,
        system_apart(loop) if apart else standalone_system(loop) as system,
    ):
        async with _running(system, rush, loop) as running:
            place = await _make_place(running)
            photographer = Photographer(place, rush.pictures, rush.tally)
            await photographer.log_in()
            await photographer.upload_all(size.photos_before)
            await _minute(rush, place, photographer)
            await _quarter(rush, place)
            await _live(rush, place, photographer, running, loop)
            await photographer.upload_all(max(size.photos_in_all - photographer.sent, 0))
        async with _running(system, rush, loop) as running:
            place = replace(place, origins=running.origins)
            await _evening(rush, place)
    for failure in rush.tally.failed[:10]:
        Console(stderr=True).print(failure)
    report.figures["errors"] = len(rush.tally.failed) + rush.tally.refused
    report.figures["refused"] = rush.tally.refused
    report.figures["livez_worst_ms"] = round(max(rush.livez_worst_ms), 1)
    return report


async def _minute(rush: Rush, place: Place, photographer: Photographer) -> None:
    async with photographer.uploading_every(SECONDS_PER_PHOTO):
        guests = await rush.guests_come(place, within_seconds=rush.size.minute)
    arrived = [guest for guest in guests if guest.is_in]
    rush.note("qr_to_photos", [guest.seconds["photos"] for guest in arrived])
    for step in ("register", "login", "validate_selfie", "upload_selfie", "matched"):
        rush.note(step, [guest.seconds[step] for guest in arrived], scale=1000, unit="ms")
    rush.note("photo_match", photographer.seconds)


async def _quarter(rush: Rush, place: Place) -> None:
    """By the way of older clients, and by the one of a page that asks for no password."""
    for name, way in (("crowd", come), ("crowd_join", come_without_password)):
        guests = await rush.guests_come(place, within_seconds=rush.size.quarter, by=way)
        rush.note(name, [guest.seconds["photos"] for guest in guests if guest.is_in])


async def _live(
    rush: Rush, place: Place, photographer: Photographer, running: Running, loop: PatientLoop
) -> None:
    """Photos as they are taken, and then a card of them as fast as it can be read.

    Of the card's, each stream hears of the upload as well: 75,000 events in seconds, which the
    client has to read before it comes to the matches.
    """
    watching = [guest for guest in rush.guests[: rush.size.guests] if guest.is_in]
    before = await _finished(running)
    async with many_streams(
        watching, place, rush.tally, gallery_pid=running.gallery_pid, loop=loop
    ) as heard:
        async with photographer.uploading_every(SECONDS_PER_LIVE_PHOTO):
            await asyncio.sleep(SECONDS_PER_LIVE_PHOTO * rush.size.photos_live)
        one_by_one = await _finished(running)
        await photographer.upload_all(rush.size.photos_live)
        at_once = await _finished(running)
    for name, photos in (
        ("stream", one_by_one.keys() - before.keys()),
        ("stream_card", at_once.keys() - one_by_one.keys()),
    ):
        delays = sorted(heard.delays({photo: at_once[photo] for photo in photos}, rush.tally))
        rush.note(name, delays, scale=1000, unit="ms")
        rush.report.figures[f"{name}_p99_ms"] = round(_share(delays, 0.99) * 1000, 1)
    rush.report.figures["stream_kb"] = round(heard.bytes_per_stream / 1000, 1)


async def _finished(running: Running) -> dict[int, float]:
    """When each photo's match was, by the clock of the wall."""
    async with running.database.read() as connection:
        return {row.id: row.moment for row in await connection.execute(_FINISHED)}


async def _evening(rush: Rush, place: Place) -> None:
    watching = [guest for guest in rush.guests[: rush.size.guests] if guest.is_in]
    for name in ("evening_cold", "evening_warm"):
        seconds = await look_at_photos(watching, place, rush.tally, thumbnails=rush.size.thumbnails)
        rush.note(name, seconds)


@asynccontextmanager
async def _running(system: System, rush: Rush, loop: PatientLoop) -> AsyncIterator[Running]:
    async with (
        system() as running,
        loop.at_normal_priority(_asking_livez(running, rush.livez_worst_ms)),
        loop.at_normal_priority(
            peak_memory(running.pids, postgres_data=running.postgres_data)
        ) as peak,
    ):
        yield running
    before = rush.report.figures.get("peak_pss_mb", 0)
    rush.report.figures["peak_pss_mb"] = max(before, round(peak.megabytes, 1))


@contextmanager
def _asking_livez(running: Running, worst_ms: list[float]) -> Iterator[None]:
    host, port = running.gallery
    asking = subprocess.Popen(
        [sys.executable, "-I", livez.__file__, host, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert asking.stdout is not None
    asking.stdout.readline()
    try:
        yield
    finally:
        told, _ = asking.communicate()
    worst_ms.append(float(told))


async def _make_place(running: Running) -> Place:
    name = f"photographer-{secrets.token_hex(3)}"
    account = NewAccount(name, f"{name}@example.com", PASSWORD)
    await add_account(running.database, account, Role.PHOTOGRAPHER)
    made = await add_event(running.database, name="Rush", photographer=name, code=None, days=60)
    return Place(running.origins, made.event_id, made.event_code, name)


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
