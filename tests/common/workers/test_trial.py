"""What is held against a task, and what against its worker or the machine."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from libs.common.errors import Unavailable
from libs.common.exhaustion import Exhausted
from libs.common.workers.errors import WorkerCrashed, WorkerNotStarted
from libs.common.workers.pool import PoolMetrics
from libs.common.workers.trial import FileUnreadable, WorkerOverwhelmed
from tests.common.workers.obedient import (
    STORM,
    Limited,
    NoPicture,
    Refused,
    cramped,
    while_there,
)
from tests.common.workers.obedient_pool import obedient_pool
from tests.support.polling import eventually
from tests.support.worker_processes import templates, workers

pytestmark = pytest.mark.usefixtures("way")


async def test_a_storm_that_kills_every_worker_blames_no_task(tmp_path: Path) -> None:
    async with obedient_pool(folder=tmp_path) as pool:
        (tmp_path / STORM).touch()
        for _ in range(2):
            with pytest.raises(WorkerNotStarted):
                await pool.run(tmp_path / "photo")
        (tmp_path / STORM).unlink()
        assert (await pool.run(tmp_path / "photo")).name == "photo"


async def test_a_worker_that_is_killed_once_costs_its_task_nothing(tmp_path: Path) -> None:
    async with obedient_pool() as pool:
        task = asyncio.create_task(pool.run(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        (tmp_path / "hang").unlink(missing_ok=True)
        (tmp_path / "hanging").unlink()
        for worker in workers():
            worker.kill()
        # It is done again by another worker, and hangs there as well.
        await eventually((tmp_path / "hanging").exists)
        assert not task.done()
        task.cancel()


async def test_a_task_that_is_killed_while_others_pass_is_told_apart_and_not_blamed_yet() -> None:
    async with obedient_pool() as pool:
        with pytest.raises(WorkerOverwhelmed):
            await pool.run(Path("killed"))
        assert (await pool.run(Path("photo"))).name == "photo"
    assert issubclass(WorkerOverwhelmed, Unavailable)


async def test_a_task_that_crashes_is_blamed_once_its_worker_s_successor_was_seen_to_work() -> None:
    registry = CollectorRegistry()
    metrics = PoolMetrics(
        Gauge("w", "w", registry=registry),
        Gauge("b", "b", registry=registry),
        Counter("l", "l", ["cause"], registry=registry),
    )
    async with obedient_pool(metrics=metrics) as pool:
        with pytest.raises(WorkerCrashed, match="a test worker died before it could answer"):
            await pool.run(Path("crash"))
    assert registry.get_sample_value("l_total", {"cause": "crashed"}) == 2


async def test_a_worker_at_its_limit_does_not_call_good_pictures_damaged() -> None:
    async with obedient_pool() as pool:
        sick = (await pool.run(Path("sicken"))).worker
        assert (await pool.run(Path("picture"))).worker != sick


async def test_a_worker_that_meets_a_memory_error_is_replaced() -> None:
    async with obedient_pool() as pool:
        sick = (await pool.run(Path("sicken"))).worker
        fresh = (await pool.run(Path("hungry"))).worker
        assert fresh != sick
        assert (await pool.run(Path("photo"))).worker == fresh


async def test_what_a_well_worker_calls_damaged_is_damaged_and_costs_no_new_worker() -> None:
    async with obedient_pool() as pool:
        first = (await pool.run(Path("photo"))).worker
        for number in range(20):
            with pytest.raises(NoPicture):
                await pool.run(Path(f"bad.{number}"))
        with pytest.raises(Refused):
            await pool.run(Path("refused"))
        assert (await pool.run(Path("photo"))).worker == first


@pytest.mark.parametrize("task", ["bad", "crash"])
async def test_where_there_is_no_room_for_large_pictures_nothing_is_held_against_one(
    task: str,
) -> None:
    async with obedient_pool(factory=cramped) as pool:
        with pytest.raises(WorkerOverwhelmed):
            await pool.run(Path(task))
        assert (await pool.run(Path("picture"))).name == "picture"


async def test_where_no_process_ever_may_have_so_much_memory_that_is_no_evidence() -> None:
    # The kernel refuses memory, not address space, as it does with vm.overcommit_memory=2.
    async with obedient_pool(factory=Limited(resource.RLIMIT_DATA)) as pool:
        with pytest.raises(NoPicture):
            await pool.run(Path("bad"))
        with pytest.raises(WorkerCrashed, match="SIGSEGV"):
            await pool.run(Path("crash"))


async def test_where_no_process_ever_has_the_address_space_that_is_evidence() -> None:
    async with obedient_pool(factory=Limited(resource.RLIMIT_AS)) as pool:
        with pytest.raises(WorkerOverwhelmed):
            await pool.run(Path("bad"))


async def test_a_task_that_takes_all_memory_while_others_pass_is_told_apart() -> None:
    async with obedient_pool() as pool:
        with pytest.raises(WorkerOverwhelmed, match="no memory"):
            await pool.run(Path("greedy"))


@pytest.mark.parametrize(
    ("task", "error", "words"),
    [
        ("full disk", Exhausted, "no more disk space"),
        ("closed", FileUnreadable, "Permission denied"),
    ],
)
async def test_what_the_system_refuses_a_worker_is_no_fault_of_its_task(
    task: str, error: type[Unavailable], words: str
) -> None:
    async with obedient_pool() as pool:
        with pytest.raises(error, match=words):
            await pool.run(Path(task))
        assert (await pool.run(Path("photo"))).name == "photo"


async def test_a_worker_that_cannot_be_started_any_more_is_no_fault_of_its_task(
    tmp_path: Path,
) -> None:
    model = tmp_path / "model"
    model.touch()
    async with obedient_pool(factory=partial(while_there, model)) as pool:
        model.unlink()
        for it in templates():
            it.kill()
        with pytest.raises(WorkerNotStarted, match="the model is missing"):
            await pool.run(Path("crash"))
        model.touch()
        assert (await pool.run(Path("photo"))).name == "photo"


@contextmanager
def no_more_files() -> Iterator[None]:
    """Every descriptor that this process has stays; it gets no other."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_without_descriptors_no_worker_is_started_and_no_task_blamed() -> None:
    async with obedient_pool(is_lazy=True) as pool:
        await asyncio.to_thread(int)  # the pool of threads is there
        with no_more_files(), pytest.raises(WorkerNotStarted, match="Too many open files"):
            await pool.run(Path("photo"))
        assert (await pool.run(Path("photo"))).name == "photo"
