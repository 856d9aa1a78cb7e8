"""What a process says of its connections, its neighbours and its workers."""

import asyncio
import contextlib
import multiprocessing
import sys
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common import tasks
from libs.common.database.database import Database
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import findme_topology
from libs.common.messaging.relay import Relay
from libs.common.resources import Resources
from libs.common.settings import CommonSettings
from libs.common.web import health
from libs.common.web.health import Check, watch_dependencies
from libs.common.web.service_app import Dependency, build_app
from libs.common.workers.pool import WorkerPool
from tests.support import busy_process
from tests.support.polling import eventually


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None, name
    return found


def up(service: str, dependency: str) -> float | None:
    labels = {"service": service, "dependency": dependency}
    return REGISTRY.get_sample_value("findme_dependency_up", labels)


async def test_the_pool_tells_its_limit_and_what_is_in_use(settings: CommonSettings) -> None:
    limit = settings.db_pool_size + settings.db_max_overflow
    before = {name: value(name) for name in ("findme_db_pool_limit", "findme_db_pool_in_use")}
    waits = value("findme_db_pool_wait_seconds_count")
    async with Database.open(settings) as database:
        assert value("findme_db_pool_limit") == before["findme_db_pool_limit"] + limit
        async with database.read(), database.unit_of_work():
            assert value("findme_db_pool_in_use") == before["findme_db_pool_in_use"] + 2
        assert value("findme_db_pool_in_use") == before["findme_db_pool_in_use"]
        assert value("findme_db_pool_idle") >= 2
    assert value("findme_db_pool_wait_seconds_count") == waits + 2
    assert value("findme_db_pool_limit") == before["findme_db_pool_limit"]


async def test_a_connection_that_never_became_free_is_counted(settings: CommonSettings) -> None:
    small = settings.model_copy(
        update={"db_pool_size": 1, "db_max_overflow": 0, "db_pool_timeout": 0.05}
    )
    before = value("findme_db_pool_timeouts_total")
    async with Database.open(small) as database, database.read():
        with pytest.raises(PoolTimeout):
            await database.check()
    assert value("findme_db_pool_timeouts_total") == before + 1


async def test_one_of_two_relays_says_that_it_leads(database: Database) -> None:
    bus = InProcessBus(findme_topology())
    before = value("findme_outbox_leading")
    relays = [asyncio.create_task(Relay(database, bus).run()) for _ in range(2)]
    await eventually(lambda: value("findme_outbox_leading") == before + 1)
    for relay in relays:
        await tasks.end(relay)
    assert value("findme_outbox_leading") == before
    await bus.close()


async def test_a_dependency_that_goes_away_and_comes_back_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    problems: list[Exception] = []

    async def probe() -> None:
        if problems:
            raise problems[0]

    watcher = asyncio.create_task(
        watch_dependencies("some", lambda: {"thing": Check(probe)}, every_seconds=0.01)
    )
    await eventually(lambda: up("some", "thing") == 1)
    problems.append(ConnectionError("nobody answers"))
    await eventually(lambda: up("some", "thing") == 0)
    problems.clear()
    await eventually(lambda: up("some", "thing") == 1)
    await tasks.end(watcher)


async def test_every_service_watches_its_dependencies(settings: CommonSettings) -> None:
    @contextlib.asynccontextmanager
    async def start(_: object, __: Resources) -> AsyncIterator[None]:
        yield

    app = build_app(
        "watched",
        settings=settings,
        resources=None,
        routers=[],
        start=start,
        needs={Dependency.DATABASE, Dependency.STORE},
        tells={Dependency.PRIMARY, Dependency.BUS},
    )
    async with app.router.lifespan_context(app):
        await eventually(lambda: [up("watched", name) for name in Dependency] == [1, 1, 1, 1])


def test_memory_and_cpu_of_workers_are_told_and_cpu_never_falls() -> None:
    memory = value("findme_worker_resident_bytes")
    cpu = value("findme_worker_cpu_seconds_total")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=busy_process.work, args=(theirs,), daemon=True)
    worker.start()
    ours.recv()
    assert value("findme_worker_resident_bytes") > memory + 30_000_000
    assert value("findme_worker_cpu_seconds_total") >= cpu + 0.2
    ours.send(None)
    worker.join()
    assert value("findme_worker_resident_bytes") < memory + 30_000_000
    assert value("findme_worker_cpu_seconds_total") >= cpu + 0.2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux copies processes")
async def test_what_copies_share_counts_once_and_their_work_does_count() -> None:
    memory = value("findme_worker_resident_bytes")
    cpu = value("findme_worker_cpu_seconds_total")
    async with WorkerPool(3, busy_process.with_much_memory, name="test worker") as pool:
        await asyncio.gather(*(pool.run() for _ in range(3)))
        grown = value("findme_worker_resident_bytes") - memory
        assert busy_process.MUCH_BYTES < grown < 2 * busy_process.MUCH_BYTES
        assert value("findme_worker_cpu_seconds_total") >= cpu + 0.6
    assert value("findme_worker_cpu_seconds_total") >= cpu + 0.6
