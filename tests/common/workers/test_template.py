"""Workers that are copies of one process."""

import asyncio
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from libs.common.workers import template
from libs.common.workers.errors import WorkerCrashed, WorkerNotStarted, WorkersStopped
from libs.common.workers.pool import WorkerPool
from libs.common.workers.template import Template
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


def opened_by(worker: psutil.Process) -> set[str]:
    return {str(it.readlink()) for it in Path(f"/proc/{worker.pid}/fd").iterdir()}


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
        idle = (await pool.run(Path("photo"))).worker
        (busy,) = {worker.pid for worker in workers()} - {idle}
        killed = the_template()
        killed.kill()
        psutil.Process(idle).kill()
        await eventually(lambda: not is_alive(killed))
        # By a copy of another.
        assert (await pool.run(Path("photo"))).worker not in {idle, busy}
        (tmp_path / "told").touch()
        assert (await task).worker == busy
    assert not workers() + templates()


async def test_workers_of_a_dead_template_do_no_other_task() -> None:
    async with obedient_pool(2) as pool:
        before = {worker.pid for worker in workers()}
        killed = the_template()
        killed.kill()
        await eventually(lambda: not is_alive(killed))
        assert (await pool.run(Path("photo"))).worker not in before
        assert len(templates()) == 1
        with pytest.raises(WorkerCrashed):
            await pool.run(Path("crash"))


async def test_a_worker_of_which_nobody_knows_how_it_ended_costs_its_task_nothing(
    tmp_path: Path,
) -> None:
    async with obedient_pool(2) as pool:
        task = asyncio.create_task(pool.run(tmp_path / "until-told"))
        await eventually((tmp_path / "has begun").exists)
        (tmp_path / "told").touch()
        for it in (*templates(), *workers()):
            with suppress(psutil.NoSuchProcess):
                os.kill(it.pid, signal.SIGSEGV)
        assert (await task).name == "until-told"


async def test_a_frozen_template_is_replaced() -> None:
    async with obedient_pool(2, max_tasks=1) as pool, asyncio.timeout(PATIENCE_SECONDS):
        starter = pool._starter
        assert isinstance(starter, Template)
        assert starter._requests is not None
        starter._requests.settimeout(0.5)  # of this one alone
        frozen = the_template()
        frozen.suspend()
        for _ in range(2):
            assert (await pool.run(Path("photo"))).name == "photo"
        assert not is_alive(frozen)


async def test_a_pool_whose_template_is_frozen_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "STATUS_TIMEOUT_SECONDS", 2 * PATIENCE_SECONDS)
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with obedient_pool(2):
            the_template().suspend()
    assert not workers() + templates()


@pytest.mark.parametrize("lost", ["descriptor", "reply", "all of it"])
async def test_a_worker_whose_start_is_not_told_takes_nobody_s_answer(
    lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = socket.recv_fds

    def lose(sock: socket.socket, *sizes: int) -> object:
        monkeypatch.undo()
        answer, descriptors, *more = receive(sock, *sizes)
        for descriptor in descriptors:
            os.close(descriptor)
        if lost == "all of it":
            raise MemoryError
        return (answer, [], *more) if lost == "descriptor" else (b"", [], *more)

    async with obedient_pool(2, max_tasks=1) as pool:
        await pool.run(Path("photo"))
        before = the_template()
        monkeypatch.setattr(socket, "recv_fds", lose)
        if lost == "descriptor":
            with pytest.raises(WorkerNotStarted):
                await pool.run(Path("photo"))
            assert the_template() == before
        if lost == "all of it":
            with pytest.raises(WorkerNotStarted):
                await pool.run(Path("photo"))
        for number in range(4):
            done = await pool.run(Path(f"photo {number}"))
            assert done.name == f"photo {number}"
            assert done.worker in {it._process.pid for it in pool._workers if it._process}


async def test_a_fork_that_is_refused_costs_neither_template_nor_tasks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = obedient_pool(2, max_tasks=1, factory=partial(refusing_forks, tmp_path / "refuse"))
    async with refusing as pool:
        before = the_template()
        await pool.run(Path("photo"))
        (tmp_path / "refuse").touch()
        with pytest.raises(WorkerNotStarted, match="Resource temporarily unavailable"):
            await pool.run(Path("photo"))
        (tmp_path / "refuse").unlink()
        assert (await pool.run(Path("photo"))).name == "photo"
        assert the_template() == before


def refusing_forks(sign: Path) -> Callable[[Path], Done]:
    """A factory in whose process there is no room for another one, while the sign is there."""
    fork = os.fork

    def refused() -> int:
        if sign.exists():
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    os.fork = refused
    return obey


async def test_those_that_follow_a_crash_are_copies_of_another_process(tmp_path: Path) -> None:
    async with obedient_pool(2) as pool:
        before = the_template()
        killed = (await pool.run(Path("photo"))).worker
        psutil.Process(killed).kill()
        await pool.run(Path("photo"))
        assert the_template() == before
        task = asyncio.create_task(pool.run(tmp_path / "until-told"))
        await eventually((tmp_path / "has begun").exists)
        with pytest.raises(WorkerCrashed):
            await pool.run(Path("crash"))
        worker = psutil.Process((await pool.run(Path("photo"))).worker)
        assert worker.ppid() != before.pid
        # It has one more, of which it is to tell how it ends.
        assert is_alive(before)
        (tmp_path / "told").touch()
        psutil.Process((await task).worker).kill()
        await eventually(lambda: not is_alive(before))
    assert not workers() + templates()


async def test_workers_have_nothing_of_each_other_or_of_their_template_open() -> None:
    async with obedient_pool(4):
        opened = [opened_by(worker) for worker in workers()]
    in_common = set.intersection(*opened)
    assert not any(it.startswith("socket:") for it in in_common)
    for its in opened:
        own = its - in_common
        # Its words, what ends the thread that looks whether the service lives, its connection.
        assert sorted(it.partition(":")[0] for it in own) == ["pipe", "pipe", "socket"]


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


async def test_a_template_that_is_not_ready_in_time_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "START_TIMEOUT_SECONDS", 0.5)
    async with obedient_pool(2, factory=partial(slow, tmp_path), is_lazy=True) as pool:
        with pytest.raises(WorkerNotStarted, match="its template took too long"):
            await pool.run(Path("photo"))
        assert not workers() + templates()


async def test_a_crash_of_an_idle_worker_is_followed_by_copies_of_another_process(
    tmp_path: Path,
) -> None:
    async with obedient_pool(2) as pool:
        before = the_template()
        idle = (await pool.run(Path("photo"))).worker
        os.kill(idle, signal.SIGSEGV)
        await eventually(lambda: idle not in {worker.pid for worker in workers()})
        task = asyncio.create_task(pool.run(tmp_path / "until-told"))
        await eventually((tmp_path / "has begun").exists)
        # Its brother, too, is replaced before its next task.
        other = psutil.Process((await pool.run(Path("photo"))).worker)
        assert other.ppid() != before.pid
        (tmp_path / "told").touch()
        assert psutil.Process((await task).worker).ppid() == other.ppid()
        await eventually(lambda: not is_alive(before))


async def test_a_copy_that_fails_before_it_can_log_says_why() -> None:
    with pytest.raises(RuntimeError, match="can't start new thread"):
        async with obedient_pool(2, factory=without_threads):
            pass
    assert not workers() + templates()


def without_threads() -> Callable[[Path], Done]:
    """A factory after which there is no room for threads."""

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pytest.MonkeyPatch().setattr(threading.Thread, "start", refused)
    return obey
