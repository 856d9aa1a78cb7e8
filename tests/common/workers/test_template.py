"""Workers that are copies of one process."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from libs.common.workers import template
from libs.common.workers.errors import WorkersStopped
from libs.common.workers.pool import WorkerPool
from tests.common.workers.obedient import Done, obey
from tests.common.workers.obedient_pool import obedient_pool
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.worker_processes import is_alive, templates, workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux copies processes")


def counted(folder: Path) -> Callable[[Path], Done]:
    """A factory that leaves a file each time."""
    (folder / f"made by {os.getpid()}").touch()
    return obey


def slow(folder: Path) -> Callable[[Path], Done]:
    """A factory that is never done."""
    (folder / "has begun").touch()
    signal.pause()
    return obey


def the_template() -> psutil.Process:
    (it,) = templates()
    return it


def test_what_workers_need_is_made_once_for_all_of_them(tmp_path: Path) -> None:
    async def workers_of_nine_tasks() -> set[int]:
        async with obedient_pool(3, factory=partial(counted, tmp_path), max_tasks=1) as pool:
            done = await asyncio.gather(*(pool.run(Path("photo")) for _ in range(9)))
        return {it.worker for it in done}

    assert len(asyncio.run(workers_of_nine_tasks())) == 9
    assert len(list(tmp_path.iterdir())) == 1


async def test_the_system_s_tools_show_what_a_process_is() -> None:
    async with obedient_pool(2):
        assert {worker.name() for worker in workers()} == {"test worker"}
        assert the_template().name() == "forks test work"


async def test_a_template_that_is_killed_costs_no_task(tmp_path: Path) -> None:
    async with obedient_pool(2) as pool:
        task = asyncio.create_task(pool.run(tmp_path / "until-told"))
        await eventually((tmp_path / "has begun").exists)
        killed = the_template()
        killed.kill()
        await eventually(lambda: not is_alive(killed))
        (tmp_path / "told").touch()
        worker = (await task).worker
        # The process that is to replace it is a copy of another.
        psutil.Process(worker).kill()
        assert (await pool.run(Path("photo"))).worker != worker
    assert not workers()


async def test_a_frozen_template_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "FORK_TIMEOUT_SECONDS", 0.5)
    async with obedient_pool(2, max_tasks=1) as pool, asyncio.timeout(PATIENCE_SECONDS):
        frozen = the_template()
        frozen.suspend()
        for _ in range(2):
            assert (await pool.run(Path("photo"))).name == "photo"
        assert not is_alive(frozen)


async def test_workers_have_nothing_of_each_other_open() -> None:
    async with obedient_pool(4):
        opened = {worker.num_fds() for worker in workers()}
    assert len(opened) == 1


async def test_templates_keep_nothing_of_workers_that_have_ended() -> None:
    async with obedient_pool(2, max_tasks=1) as pool:
        await pool.run(Path("photo"))
        await eventually(lambda: len(workers()) == 1)
        opened = the_template().num_fds()
        for _ in range(5):
            await pool.run(Path("photo"))
        await eventually(lambda: the_template().num_fds() <= opened)


async def test_a_pool_that_is_stopped_waits_for_no_template(tmp_path: Path) -> None:
    pool: WorkerPool[[Path], Done] = obedient_pool(2, factory=partial(slow, tmp_path), is_lazy=True)
    pool.start()
    task = asyncio.create_task(pool.run(Path("photo")))
    await eventually((tmp_path / "has begun").exists)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.to_thread(pool.stop)
        with pytest.raises(WorkersStopped):
            await task
    assert not workers()
