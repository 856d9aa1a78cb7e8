"""Recognition where each photo takes 2 s to come from the store, beside a store that is prompt.

One replica with three workers and an engine of 200 ms per photo and no CPU, on an S3 server behind
a proxy that lets every request wait: of one hot event, and of sixteen events at once.

python -m benchmarks.slow_store [--quick] [--json FILE]
"""

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.private_services import private_services
from benchmarks.replicas import Replicas
from benchmarks.report import Goal, Report, main
from benchmarks.scaling import DEFAULT_WORKERS, SECONDS_PER_PHOTO, Bench
from libs.common.database.database import Database
from libs.common.storage.s3 import open_s3_store
from tests.faults.proxy import StoreProxy
from tests.support.s3 import running_s3
from tests.support.world import World

SECONDS_PER_FETCH = 2.0
EVENTS = 16

#: The most that workers can do which wait for their photos themselves, on whatever machine.
WAITING_WORKERS_PER_SECOND = DEFAULT_WORKERS / (SECONDS_PER_FETCH + SECONDS_PER_PHOTO)

GOALS = {
    "speedup_one_event": Goal(">=", 1.5),
    "speedup_many_events": Goal(">=", 3),
}


@dataclass(frozen=True, slots=True)
class Load:
    """How much is measured, each time: photos of one event, and of each of many."""

    one: int
    each_of_many: int
    rounds: int


FULL = Load(one=45, each_of_many=8, rounds=3)
QUICK = Load(one=20, each_of_many=4, rounds=1)


def measure(quick: bool) -> Report:  # noqa: FBT001 - the form of all benchmarks
    """Let the store be prompt and slow in turn."""
    return asyncio.run(_measure(QUICK if quick else FULL))


async def _measure(load: Load) -> Report:
    with (
        tempfile.TemporaryDirectory(prefix="findme-bench-") as folder,
        running_s3() as server,
        server.fresh_bucket() as bucket,
    ):
        os.environ["AWS_ACCESS_KEY_ID"] = bucket.access_key
        os.environ["AWS_SECRET_ACCESS_KEY"] = bucket.secret_key
        proxy = StoreProxy(bucket.endpoint_url)
        async with (
            proxy.running(),
            open_s3_store(bucket.bucket, endpoint_url=bucket.endpoint_url) as store,
            private_services() as services,
            Database.open(services.settings()) as database,
        ):
            replicas = Replicas(
                services,
                Path(folder),
                workers=DEFAULT_WORKERS,
                seconds_per_photo=SECONDS_PER_PHOTO,
                settings={"PHOTO_BUCKET_NAME": bucket.bucket, "S3_ENDPOINT_URL": proxy.url},
            )
            with replicas:
                await asyncio.to_thread(replicas.scale, 1)
                rates = await _rates(Bench(World(database, store)), proxy, load)
    return _reported(rates)


async def _rates(bench: Bench, proxy: StoreProxy, load: Load) -> dict[tuple[str, str], list[float]]:
    """Photos per second by the store and by the events, each time."""
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(load.rounds):
        for store, seconds in (("prompt", 0.0), ("slow", SECONDS_PER_FETCH)):
            proxy.delay_seconds = seconds
            one = await bench.photos_per_second(load.one)
            many = await bench.photos_per_second(load.each_of_many, events=EVENTS)
            rates.setdefault((store, "one"), []).append(one)
            rates.setdefault((store, "many"), []).append(many)
    return rates


def _reported(rates: dict[tuple[str, str], list[float]]) -> Report:
    table = Table(title="photos per second", title_justify="left")
    for heading in ("store", "events", "median", "each time"):
        table.add_column(heading, justify="right" if heading == "median" else "left")
    middle = {key: median(each) for key, each in rates.items()}
    for (store, events), each in rates.items():
        all_of_them = " ".join(f"{rate:.2f}" for rate in each)
        table.add_row(store, events, f"{middle[store, events]:.2f}", all_of_them)
    Console().print(table)
    report = Report("slow_store", GOALS)
    for events in ("one", "many"):
        name = "one_event" if events == "one" else "many_events"
        for store in ("prompt", "slow"):
            report.figures[f"photos_per_second_{store}_{name}"] = round(middle[store, events], 2)
        ratio = middle["slow", events] / middle["prompt", events]
        report.figures[f"ratio_{name}"] = round(ratio, 3)
        speedup = middle["slow", events] / WAITING_WORKERS_PER_SECOND
        report.figures[f"speedup_{name}"] = round(speedup, 2)
    return report


if __name__ == "__main__":
    main(measure)
