"""The outbox, its relay and the handover of partitions, on a private RabbitMQ and PostgreSQL.

Clients, relay and handlers share one process, with connections of their own.

python -m benchmarks.bus [--quick] [--json FILE]
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median, quantiles

from prometheus_client import REGISTRY

from benchmarks.partition_handover import hand_over
from benchmarks.private_services import PrivateServices, private_services
from benchmarks.report import Goal, Report, main
from libs.common import tasks
from libs.common.database.database import Database
from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.protocol import Delivery
from libs.common.messaging.bus.topology import bucket_of, findme_topology, lane_of
from libs.common.messaging.messages import PhotoUploaded
from libs.common.messaging.relay import Relay
from libs.common.telemetry import logs
from tests.support.polling import eventually

EVENT = 1
#: Events in the relay's backlog, so that all queues take part.
BACKLOG_EVENTS = 1000
WARM_UP = 50
#: Longer than a message takes, so that the system is idle, and not in step with anything.
PAUSE_SECONDS = (0.0, 0.02)
PATIENCE_SECONDS = 120.0

GOALS = {
    "outbox_p50_ms": Goal("<=", 10),
    "outbox_p99_ms": Goal("<=", 50),
    "relay_per_second": Goal(">=", 2000),
    "handover_duplicates": Goal("<=", 0),
    "handover_overlaps": Goal("<=", 0),
    "handover_max_s": Goal("<=", 1),
}


@dataclass(frozen=True, slots=True)
class Load:
    """How much is measured."""

    latency_samples: int
    backlog_rows: int
    backlog_rounds: int
    #: A second owner comes and goes so many times.
    owner_visits: int


FULL = Load(1000, 20_000, backlog_rounds=3, owner_visits=5)
QUICK = Load(500, 5_000, backlog_rounds=1, owner_visits=2)


def measure(quick: bool) -> Report:  # noqa: FBT001 - the form of all benchmarks
    """Measure one after the other, as each wants the system for itself."""
    return asyncio.run(_measure(QUICK if quick else FULL))


async def _measure(load: Load) -> Report:
    report = Report("bus", GOALS)
    # Every handover is logged, which is not to be among the figures.
    logs.configure("warning", "console")
    async with private_services() as services:
        milliseconds = [
            1000 * seconds for seconds in await outbox_latencies(services, load.latency_samples)
        ]
        rates = [await relay_rate(services, load.backlog_rows) for _ in range(load.backlog_rounds)]
        handovers = await hand_over(services, visits=load.owner_visits)
    print(f"{handovers.count} handovers of {handovers.messages} messages")
    report.figures = {
        "outbox_p50_ms": round(median(milliseconds), 2),
        "outbox_p99_ms": round(quantiles(milliseconds, n=100)[98], 2),
        "relay_per_second": round(median(rates)),
        "handover_duplicates": handovers.duplicates,
        "handover_overlaps": handovers.overlaps,
        "handover_max_s": round(handovers.longest_seconds, 3),
    }
    return report


async def outbox_latencies(services: PrivateServices, samples: int) -> list[float]:
    """Seconds from a message's commit to its handler's start, one message at a time."""
    topology = findme_topology()
    arrivals: asyncio.Queue[float] = asyncio.Queue()

    async def handler(_: Delivery) -> None:
        arrivals.put_nowait(time.perf_counter())

    async with (
        Database.open(services.settings()) as database,
        open_bus(services.amqp_url, topology) as bus,
        _running_relay(services),
    ):
        await bus.subscribe(topology.analyze[lane_of(bucket_of(EVENT))], handler)
        latencies = []
        for number in range(WARM_UP + samples):
            async with database.unit_of_work() as unit:
                unit.publish(PhotoUploaded(event_id=EVENT, photo_id=number))
            committed = time.perf_counter()
            latencies.append(await arrivals.get() - committed)
            await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
    return latencies[WARM_UP:]


async def relay_rate(services: PrivateServices, rows: int) -> float:
    """Messages per second of a relay that finds a backlog of `rows`."""
    async with Database.open(services.settings()) as database, database.unit_of_work() as unit:
        for number in range(rows):
            unit.publish(PhotoUploaded(event_id=number % BACKLOG_EVENTS, photo_id=number))
    published_before = _published()
    async with _running_relay(services):
        started = time.perf_counter()
        await eventually(
            lambda: _published() == published_before + rows,
            timeout=PATIENCE_SECONDS,
            message="the relay is stuck",
        )
        return rows / (time.perf_counter() - started)


def _published() -> float:
    return REGISTRY.get_sample_value("findme_outbox_published_total") or 0.0


@asynccontextmanager
async def _running_relay(services: PrivateServices) -> AsyncIterator[None]:
    async with (
        Database.open(services.settings()) as database,
        open_bus(services.amqp_url, findme_topology()) as bus,
    ):
        relay = asyncio.create_task(Relay(database, bus).run())
        try:
            yield
        finally:
            await tasks.end(relay)


if __name__ == "__main__":
    main(measure)
