"""A thousand events at the same time: each guest gets their photos soon, and only theirs.

Photos and selfies of all events arrive in random order at a steady rate, over RabbitMQ, for
four replicas. The engine takes 50 ms per photo and no CPU; everything else is real. The same
faces are at every event, so that a match across events would show.

python -m benchmarks.events [--quick] [--json FILE]
"""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress
from sqlalchemy import text

from benchmarks.private_services import PrivateServices, private_services
from benchmarks.replicas import Replicas
from benchmarks.report import Goal, Report, main
from libs.common.database.database import Database
from libs.common.storage.folder import FolderStore
from tests.support.engine_calls import read_calls
from tests.support.polling import eventually
from tests.support.world import World

REPLICAS = 4
WORKERS = 3
SECONDS_PER_PHOTO = 0.05
GUESTS_PER_EVENT = 2
PHOTOS_PER_EVENT = 4
STRANGERS = (90, 99)
ARRIVALS_PER_SECOND = 30.0
#: Rows that are prepared at the same time.
AT_ONCE = 16
PATIENCE_SECONDS = 600.0

GOALS = {
    "photo_p99_s": Goal("<=", 5),
    "selfie_p99_s": Goal("<=", 5),
    "missing_matches": Goal("<=", 0),
    "wrong_matches": Goal("<=", 0),
    "selfies_indexed_twice": Goal("<=", 0),
}

_UNFINISHED = text(
    "SELECT (SELECT count(*) FROM photos WHERE processing_status IN ('queued', 'analyzed'))"
    " + (SELECT count(*) FROM selfies s WHERE NOT EXISTS"
    "    (SELECT 1 FROM selfie_indexes i WHERE i.selfie_id = s.id AND i.status = 'done'))"
)
_LATENCIES = {
    "photo": text(
        "SELECT extract(epoch FROM finished_at - uploaded_at)::float8 AS s"
        " FROM photos WHERE processing_status = 'done' ORDER BY s"
    ),
    "selfie": text(
        "SELECT extract(epoch FROM i.finished_at - s.created_at)::float8 AS s"
        " FROM selfies s JOIN selfie_indexes i ON i.selfie_id = s.id ORDER BY s"
    ),
}
_SLOWEST_EVENT = text(
    "SELECT max(s) FROM (SELECT percentile_cont(0.5) WITHIN GROUP"
    " (ORDER BY extract(epoch FROM finished_at - uploaded_at)) AS s"
    " FROM photos GROUP BY event_id) AS events"
)
_MATCHES = text("SELECT user_id, photo_id FROM matches")
_RATE = text(
    "SELECT count(*) / extract(epoch FROM max(finished_at) - min(uploaded_at))::float8 FROM photos"
)


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest of one event, and the person (0..GUESTS_PER_EVENT) their selfie shows."""

    user_id: int
    event_id: int
    person: int


@dataclass(frozen=True, slots=True)
class Shot:
    """A photo to be uploaded, and the persons in it."""

    event_id: int
    people: tuple[int, ...]


def measure(quick: bool) -> Report:  # noqa: FBT001 - the form of all benchmarks
    """Play all events' uploads, wait for the last match, compare with the truth."""
    return asyncio.run(_measure(events=100 if quick else 1000))


async def _measure(*, events: int) -> Report:
    report = Report("events", GOALS)
    with tempfile.TemporaryDirectory(prefix="findme-bench-") as temporary:
        folder = Path(temporary)
        log = folder / "engine-calls.jsonl"
        async with _world(folder) as (services, world):
            guests = await _prepare(world, events)
            with Replicas(
                services, folder, workers=WORKERS, seconds_per_photo=SECONDS_PER_PHOTO, log=log
            ) as replicas:
                await asyncio.to_thread(replicas.scale, REPLICAS)
                shots = await _play(world, guests)
                await eventually(lambda: _is_finished(world), timeout=PATIENCE_SECONDS)
            await _evaluate(world, guests, shots, report)
        names = Counter(call.name for call in read_calls(log) if call.name.startswith("selfie"))
        if len(names) != len(guests):
            raise RuntimeError(f"{len(names)} of {len(guests)} selfies are in the log of calls")
        report.figures["selfies_indexed_twice"] = sum(count > 1 for count in names.values())
    return report


@asynccontextmanager
async def _world(folder: Path) -> AsyncIterator[tuple[PrivateServices, World]]:
    async with private_services() as services, Database.open(services.settings()) as database:
        yield services, World(database, await FolderStore.open(folder / "objects"))


async def _prepare(world: World, events: int) -> list[Guest]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one_event() -> list[Guest]:
        async with limit:
            event = await world.event()
            guests = []
            for person in range(GUESTS_PER_EVENT):
                user = await world.user()
                await world.join(user, event)
                guests.append(Guest(user, event, person))
            return guests

    prepared = await asyncio.gather(*(one_event() for _ in range(events)))
    return [guest for guests in prepared for guest in guests]


async def _play(world: World, guests: Sequence[Guest]) -> dict[int, Shot]:
    """Let everything arrive in random order at a steady rate; return the photos by their ids."""
    rng = random.Random("events")
    shots = [
        Shot(event, (*_some_guests(rng), rng.randint(*STRANGERS)))
        for event in {guest.event_id for guest in guests}
        for _ in range(PHOTOS_PER_EVENT)
    ]
    arrivals: list[Guest | Shot] = [*guests, *shots]
    rng.shuffle(arrivals)
    uploaded: dict[int, Shot] = {}

    async def arrive(arrival: Guest | Shot) -> None:
        match arrival:
            case Guest(user_id=user_id, person=person):
                await world.selfie(user_id, f"people {person}\nselfie of {user_id}")
            case Shot(event_id=event_id, people=people):
                photo = await world.photo(event_id, f"people {' '.join(map(str, people))}")
                uploaded[photo] = arrival

    started = asyncio.get_running_loop().time()
    with Progress(transient=True) as progress:
        steps = progress.track(arrivals, description="photos and selfies arrive")
        async with asyncio.TaskGroup() as group:
            for number, arrival in enumerate(steps):
                due = started + number / ARRIVALS_PER_SECOND
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                group.create_task(arrive(arrival))
    return uploaded


def _some_guests(rng: random.Random) -> list[int]:
    return [person for person in range(GUESTS_PER_EVENT) if rng.random() < 0.5]


async def _is_finished(world: World) -> bool:
    async with world.database.read() as connection:
        return not await connection.scalar(_UNFINISHED)


async def _evaluate(
    world: World, guests: Sequence[Guest], shots: dict[int, Shot], report: Report
) -> None:
    wanted = _truth(guests, shots)
    async with world.database.read() as connection:
        found = {(row.user_id, row.photo_id) for row in await connection.execute(_MATCHES)}
        report.figures = {
            "events": len({guest.event_id for guest in guests}),
            "photos": len(shots),
            "selfies": len(guests),
            "photos_per_second": round(float(await connection.scalar(_RATE) or 0), 1),
        }
        for kind, query in _LATENCIES.items():
            seconds = list(await connection.scalars(query))
            report.figures[f"{kind}_p50_s"] = round(_percentile(seconds, 0.50), 3)
            report.figures[f"{kind}_p99_s"] = round(_percentile(seconds, 0.99), 3)
            report.figures[f"{kind}_worst_s"] = round(seconds[-1], 3)
        slowest = await connection.scalar(_SLOWEST_EVENT)
        report.figures["slowest_event_median_s"] = round(float(slowest or 0), 3)
    report.figures["missing_matches"] = len(wanted - found)
    report.figures["wrong_matches"] = len(found - wanted)


def _truth(guests: Sequence[Guest], shots: dict[int, Shot]) -> set[tuple[int, int]]:
    at_event: dict[int, list[Guest]] = {}
    for guest in guests:
        at_event.setdefault(guest.event_id, []).append(guest)
    return {
        (guest.user_id, photo)
        for photo, shot in shots.items()
        for guest in at_event[shot.event_id]
        if guest.person in shot.people
    }


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


if __name__ == "__main__":
    main(measure)
