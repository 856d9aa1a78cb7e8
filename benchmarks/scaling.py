"""Recognition's replicas on one hot event, a small event beside it, and what one event can take.

The engine takes 200 ms per photo and no CPU, so that what is measured is how the work is
spread, on a machine of any size. Matching runs as always. How many photos of one event are matched
in a second is measured apart, of photos that are analysed and wait: its partition has one owner,
whatever the number of replicas.

python -m benchmarks.scaling [--quick] [--json FILE]
"""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from benchmarks.hot_event import HotEvent
from benchmarks.private_services import PrivateServices, private_services
from benchmarks.replicas import Replicas
from benchmarks.report import Goal, Report, main
from libs.common.database.database import Database
from libs.common.messaging.bus.topology import PHOTOS_AHEAD, bucket_of, lane_of
from libs.common.messaging.messages import PhotoUploaded
from libs.common.storage.folder import FolderStore
from tests.support.polling import eventually
from tests.support.world import World

SECONDS_PER_PHOTO = 0.2
REPLICAS = (1, 2, 4, 8, 16)
#: Workers of a replica where fairness and a replica's use of its workers are measured.
DEFAULT_WORKERS = 3
FAIRNESS_REPLICAS = 2
SMALL_EVENT_PHOTOS = 20
GUESTS = 3
PATIENCE_SECONDS = 300.0

GOALS = {
    "efficiency_2": Goal(">=", 0.9),
    "efficiency_4": Goal(">=", 0.9),
    "efficiency_8": Goal(">=", 0.9),
    # On two cores the services' own work for 80 photos a second begins to show.
    "efficiency_16": Goal(">=", 0.8),
    "efficiency_workers_3": Goal(">=", 0.9),
    "fairness_ratio": Goal("<=", 3),
    "one_event_photos_per_second": Goal(">=", 500),
}

_FINISHED = text(
    "SELECT count(*) FROM photos WHERE id = ANY(:photos) AND processing_status = 'done'"
)
_INDEXED = text("SELECT count(*) FROM selfie_indexes WHERE event_id = :event AND status = 'done'")
#: By the database's clock, so that polling costs the figure nothing.
_SECONDS = text(
    "SELECT extract(epoch FROM max(finished_at) - :started)::float8"
    " FROM photos WHERE id = ANY(:photos)"
)
_NOW = text("SELECT clock_timestamp()")


@dataclass(frozen=True, slots=True)
class Load:
    """How much is measured; a worker gets `photos_per_worker` each time.

    `analyzed_photos` of an event with `guests` wait to be matched, as often as there are rounds.
    """

    photos_per_worker: int
    hot_event_photos: int
    #: Numbers of replicas, in their order: up and down, so that drift hits all alike.
    steps: Sequence[int]
    rounds: int
    guests: int
    analyzed_photos: int


FULL = Load(
    40,
    600,
    (*REPLICAS, *reversed(REPLICAS), *REPLICAS),
    rounds=3,
    guests=2_000,
    analyzed_photos=3_000,
)
QUICK = Load(8, 100, REPLICAS, rounds=1, guests=500, analyzed_photos=1_000)


def measure(quick: bool) -> Report:  # noqa: FBT001 - the form of all benchmarks
    """Scale one event over replicas, let a small event come second, and match a hot one."""
    return asyncio.run(_measure(QUICK if quick else FULL))


async def _measure(load: Load) -> Report:
    report = Report("scaling", GOALS)
    with tempfile.TemporaryDirectory(prefix="findme-bench-") as temporary:
        folder = Path(temporary)
        async with (
            private_services() as services,
            Database.open(services.settings()) as database,
        ):
            bench = Bench(World(database, await FolderStore.open(folder / "objects")))
            per_second = await _replicas_on_one_event(bench, services, folder, load)
            for count in REPLICAS[1:]:
                report.figures[f"efficiency_{count}"] = round(
                    per_second[count] / (count * per_second[1]), 3
                )
            with Replicas(
                services, folder, workers=DEFAULT_WORKERS, seconds_per_photo=SECONDS_PER_PHOTO
            ) as replicas:
                await asyncio.to_thread(replicas.scale, 1)
                rate = await bench.photos_per_second(load.photos_per_worker * DEFAULT_WORKERS)
                report.figures["efficiency_workers_3"] = round(
                    rate / (DEFAULT_WORKERS * per_second[1]), 3
                )
                await asyncio.to_thread(replicas.scale, FAIRNESS_REPLICAS)
                ratios = [await bench.fairness(load) for _ in range(load.rounds)]
                report.figures["fairness_ratio"] = round(median(ratios), 2)
                rates = await _matched_per_second(database, load)
                report.figures["one_event_photos_per_second"] = round(median(rates), 1)
    return report


async def _matched_per_second(database: Database, load: Load) -> list[float]:
    """Photos of one event that are matched in a second, from their messages on."""
    event = await HotEvent.make(database, guests=load.guests)
    rates = []
    for _ in range(load.rounds):
        seconds, _first = await event.seconds(await event.photos(load.analyzed_photos))
        rates.append(load.analyzed_photos / seconds)
    return rates


async def _replicas_on_one_event(
    bench: "Bench", services: PrivateServices, folder: Path, load: Load
) -> dict[int, float]:
    """Return photos per second by number of replicas, of one worker each: medians."""
    measured: dict[int, list[float]] = {count: [] for count in REPLICAS}
    with Replicas(services, folder, workers=1, seconds_per_photo=SECONDS_PER_PHOTO) as replicas:
        for count in load.steps:
            await asyncio.to_thread(replicas.scale, count)
            measured[count].append(await bench.photos_per_second(load.photos_per_worker * count))
    table = Table(title="photos per second of one event", title_justify="left")
    table.add_column("replicas of 1 worker", justify="right")
    table.add_column("median", justify="right")
    table.add_column("each time", justify="right")
    for count, rates in measured.items():
        table.add_row(str(count), f"{median(rates):.2f}", " ".join(f"{rate:.2f}" for rate in rates))
    Console().print(table)
    return {count: median(rates) for count, rates in measured.items()}


@dataclass(frozen=True, slots=True)
class Bench:
    """Makes events and photos, and times their way to `done`."""

    world: World

    async def photos_per_second(self, photos: int, *, events: int = 1) -> float:
        """The rate of fresh events, with guests, from the first message to the last match."""
        made = {event: await self._photos(event, photos) for event in await self._events(events)}
        started = [await self._publish(event, ids) for event, ids in made.items()]
        every = [photo for ids in made.values() for photo in ids]
        return len(every) / await self._seconds(every, since=started[0])

    async def fairness(self, load: Load) -> float:
        """A small event's time behind a hot one, over its time on the idle system.

        The events share a lane, as one of 8 pairs does.
        """
        hot = await self._event()
        small = await self._event(beside=hot)
        hot_photos = await self._photos(hot, load.hot_event_photos)
        times = []
        for waits_behind in ((), hot_photos):
            small_photos = await self._photos(small, SMALL_EVENT_PHOTOS)
            if waits_behind:
                await self._publish(hot, waits_behind)
                await self._finished(waits_behind[:10])
            started = await self._publish(small, small_photos)
            times.append(await self._seconds(small_photos, since=started))
        await self._finished(hot_photos)
        return times[1] / times[0]

    async def _events(self, count: int) -> list[int]:
        return await asyncio.gather(*(self._event() for _ in range(count)))

    async def _event(self, *, beside: int | None = None) -> int:
        """A new event; `beside` another one it shares that one's lane."""
        while True:
            event = await self.world.event()
            if beside is None or _lane(event) == _lane(beside):
                break
        for person in range(GUESTS):
            await self.world.guest(event, person)
        # A selfie costs a worker as much time as a photo; it is not to be in the figures.
        await eventually(lambda: self._all_are_indexed(event), timeout=PATIENCE_SECONDS)
        return event

    async def _all_are_indexed(self, event: int) -> bool:
        async with self.world.database.read() as connection:
            return bool(await connection.scalar(_INDEXED, {"event": event}) == GUESTS)

    async def _photos(self, event: int, count: int) -> list[int]:
        """Photos with two people each, one of them a guest; their messages come later."""
        return await asyncio.gather(
            *(
                self.world.photo(event, f"people {number % GUESTS} 99", publish=False)
                for number in range(count)
            )
        )

    async def _publish(self, event: int, photos: Sequence[int]) -> datetime:
        """Send their messages; return the database's time just before."""
        async with self.world.database.unit_of_work() as unit:
            started: datetime = (await unit.connection.execute(_NOW)).scalar_one()
            for number, photo in enumerate(photos):
                in_bulk = number >= PHOTOS_AHEAD  # as ingest sends them
                unit.publish(PhotoUploaded(event_id=event, photo_id=photo, in_bulk=in_bulk))
        return started

    async def _finished(self, photos: Sequence[int]) -> None:
        async def all_done() -> bool:
            async with self.world.database.read() as connection:
                return bool(await connection.scalar(_FINISHED, {"photos": photos}) == len(photos))

        await eventually(all_done, timeout=PATIENCE_SECONDS, message="photos were left over")

    async def _seconds(self, photos: Sequence[int], *, since: datetime) -> float:
        """Wait until all are done; return the time of the last one."""
        await self._finished(photos)
        async with self.world.database.read() as connection:
            parameters = {"photos": photos, "started": since}
            return float((await connection.execute(_SECONDS, parameters)).scalar_one())


def _lane(event: int) -> int:
    return lane_of(bucket_of(event))


if __name__ == "__main__":
    main(measure)
