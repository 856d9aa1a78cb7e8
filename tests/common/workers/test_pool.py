import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psutil
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from structlog.testing import capture_logs

from libs.common.errors import PermanentError, TransientError, Unavailable
from libs.common.telemetry import tracing
from libs.common.workers import process
from libs.common.workers.errors import (
    WorkerCrashed,
    WorkerNotStarted,
    WorkersStopped,
    WorkerTimedOut,
)
from libs.common.workers.line import Share
from libs.common.workers.pool import ALL, LineMetrics, PoolMetrics, WorkerPool
from libs.common.workers.serving import WorkerError
from libs.common.workers.starting import Starter
from libs.common.workers.trial import WorkerOverwhelmed
from tests.common.workers.obedient import (
    LIVES_ON_SECONDS,
    CannotStart,
    Done,
    LongBug,
    NoPicture,
    die,
    obey,
    refuse,
)
from tests.common.workers.obedient_pool import obedient_pool
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.spans import recording_spans
from tests.support.worker_processes import templates, workers

pytestmark = pytest.mark.usefixtures("way")


async def test_tasks_are_done_in_other_processes_that_give_way() -> None:
    async with obedient_pool(2) as pool:
        results = await asyncio.gather(*(pool.run(Path(f"photo{i}")) for i in range(20)))
    assert [result.name for result in results] == [f"photo{i}" for i in range(20)]
    assert {result.worker for result in results}.isdisjoint({psutil.Process().pid})
    assert all(result.niceness >= 10 for result in results)


async def test_an_answer_larger_than_the_pipe_arrives() -> None:
    async with obedient_pool() as pool:
        assert len((await pool.run(Path("large"))).name) == 1_000_000


async def test_a_crash_costs_only_the_task_that_caused_it() -> None:
    async with obedient_pool(2) as pool:
        names = ["good", "crash", "good", "crash", "good", "crash", "good"]
        results = await asyncio.gather(
            *(pool.run(Path(name)) for name in names), return_exceptions=True
        )
    kinds = ["good" if isinstance(result, Done) else type(result) for result in results]
    assert kinds == [WorkerCrashed if name == "crash" else "good" for name in names]
    assert issubclass(WorkerCrashed, TransientError)


async def test_what_a_decoder_complains_of_is_neither_in_the_log_nor_in_the_way(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with obedient_pool() as pool:
        with capture_logs() as logs:
            done = await pool.run(Path("complaining"))
            again = await pool.run(Path("complaining"))
    assert done.worker == again.worker
    assert logs == []
    assert capfd.readouterr() == ("", "")


async def test_the_last_words_of_a_worker_that_dies_are_few(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with obedient_pool() as pool:
        with capture_logs() as logs, pytest.raises(WorkerCrashed):
            await pool.run(Path("complaining crash"))
    said = [record["said"] for record in logs if record["event"] == "worker_last_words"]
    # Once for each of the two that were tried.
    assert len(said) == 2
    assert all("bad seek to" in words and len(words) <= 1000 for words in said)
    assert capfd.readouterr() == ("", "")


async def test_an_error_that_has_a_line_for_every_row_is_told_in_short() -> None:
    async with obedient_pool() as pool:
        with pytest.raises(LongBug) as caught:
            await pool.run(Path("long bug"))
    assert sum(len(note) for note in caught.value.__notes__) < 5000


async def test_an_idle_worker_that_is_killed_is_replaced() -> None:
    async with obedient_pool() as pool:
        first = (await pool.run(Path("photo"))).worker
        psutil.Process(first).kill()
        psutil.Process(first).wait()
        assert (await pool.run(Path("photo"))).worker != first


async def test_a_task_that_takes_too_long_is_given_up_and_its_worker_killed(
    tmp_path: Path,
) -> None:
    async with obedient_pool(timeout_seconds=3) as pool:
        with pytest.raises(WorkerTimedOut, match=r"a test worker gave no answer in 3 seconds"):
            await pool.run(tmp_path / "hang")
        assert (await pool.run(Path("photo"))).name == "photo"


async def test_a_worker_that_spins_is_killed_and_the_others_work_meanwhile(tmp_path: Path) -> None:
    async with obedient_pool(processes=2, timeout_seconds=3) as pool:
        spinning = asyncio.create_task(pool.run(tmp_path / "spin"))
        await eventually((tmp_path / "spinning").exists)
        before = {worker.pid for worker in workers()}
        assert (await pool.run(Path("photo"))).name == "photo"
        with pytest.raises(WorkerTimedOut):
            await spinning
        # Killed and collected: no core is busy any more.
        assert len(before & {worker.pid for worker in workers()}) == 1


async def test_a_cancelled_task_frees_its_worker(tmp_path: Path) -> None:
    async with obedient_pool() as pool:
        task = asyncio.create_task(pool.run(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await pool.run(Path("photo"))).name == "photo"


async def test_a_task_that_is_cancelled_while_it_waits_takes_no_worker(tmp_path: Path) -> None:
    async with obedient_pool() as pool:
        hanging = asyncio.create_task(pool.run(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        waiting = asyncio.create_task(pool.run(tmp_path / "hang"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not hanging.done()
        hanging.cancel()
        (tmp_path / "hanging").unlink()
        assert (await pool.run(Path("photo"))).name == "photo"
        assert not (tmp_path / "hanging").exists()


async def test_tasks_that_are_long_no_more_have_all_workers_again(tmp_path: Path) -> None:
    photos, visitors = Share("photos"), Share("visitors", gives_way=True)
    folders = [tmp_path / str(number) for number in range(5)]
    for folder in folders:
        folder.mkdir()

    def begun() -> int:
        return sum((folder / "has begun").exists() for folder in folders)

    async with obedient_pool(3, shares=(photos, visitors)) as pool:
        await pool.run_as(photos, Path("photo"))
        queues = pool._line._queues
        queues[visitors].mean_seconds = 1e9
        running = [
            asyncio.create_task(pool.run_as(visitors, folder / "until-told")) for folder in folders
        ]
        await eventually(lambda: begun() == 2)
        assert len(pool._loops) == 2
        # All are as slow now.
        queues[photos].mean_seconds = 1e9
        (folders[0] / "told").touch()
        await running[0]
        await eventually(lambda: begun() == 4)
        for folder in folders:
            (folder / "told").touch()
        await asyncio.gather(*running)
        await eventually(lambda: not pool._loops)


async def test_what_waits_lies_in_the_line_alone(tmp_path: Path) -> None:
    async with obedient_pool() as pool:
        hanging = asyncio.create_task(pool.run(tmp_path / "until-told"))
        await eventually((tmp_path / "has begun").exists)
        waiting = [asyncio.create_task(pool.run(Path("photo"))) for _ in range(100)]
        await asyncio.sleep(0)
        assert pool._line.waiting(ALL) == 100
        assert pool._threads._work_queue.qsize() == 0
        (tmp_path / "told").touch()
        await asyncio.gather(hanging, *waiting)


async def test_a_bad_task_is_refused_in_its_own_words() -> None:
    async with obedient_pool() as pool:
        with pytest.raises(PermanentError, match=r"^The file is empty\.") as caught:
            await pool.run(Path("bad"))
        assert type(caught.value) is NoPicture
        assert str(caught.value) == "The file is empty."
        assert (await pool.run(Path("photo"))).name == "photo"


async def test_a_bug_comes_with_the_worker_s_traceback() -> None:
    async with obedient_pool() as pool:
        with pytest.raises(ZeroDivisionError, match="a bug") as caught:
            await pool.run(Path("bug"))
    assert "in obey" in "".join(caught.value.__notes__)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("unpicklable bug", r"\bUnpicklableBug$"),
        ("bug of two arguments", r"\bBugOfTwoArguments$"),
    ],
)
async def test_a_bug_that_cannot_leave_its_process_is_told_all_the_same(
    task: str, words: str
) -> None:
    async with obedient_pool() as pool:
        first = (await pool.run(Path("photo"))).worker
        with pytest.raises(WorkerError, match=words) as caught:
            await pool.run(Path(task))
        assert "in obey" in "".join(caught.value.__notes__)
        assert (await pool.run(Path("photo"))).worker == first


async def test_a_pool_that_has_stopped_says_so() -> None:
    async with obedient_pool() as pool:
        pass
    with pytest.raises(WorkersStopped):
        await pool.run(Path("photo"))


@pytest.mark.parametrize("error", [WorkerNotStarted, WorkersStopped])
def test_what_is_no_fault_of_the_task_is_waited_for(error: type[Exception]) -> None:
    assert issubclass(error, Unavailable)


async def test_a_worker_that_closes_its_pipe_and_lives_on_is_not_waited_for(
    tmp_path: Path,
) -> None:
    async with obedient_pool() as pool:
        with pytest.raises(WorkerOverwhelmed, match="it was ended"):
            await pool.run(tmp_path / "let go")
        assert not (tmp_path / "lived on").exists()
        assert (await pool.run(Path("photo"))).name == "photo"
        assert len(workers()) == 1


async def test_giving_a_task_up_does_not_make_others_wait_for_its_worker_to_die(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that it is still waited for when the task is given up.
    monkeypatch.setattr(process, "DEATH_SECONDS", LIVES_ON_SECONDS)
    async with obedient_pool() as pool:
        task = asyncio.create_task(pool.run(tmp_path / "let go"))
        await eventually((tmp_path / "has let go").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await pool.run(Path("photo"))).name == "photo"
    assert not (tmp_path / "lived on").exists()


async def test_a_worker_that_freezes_in_the_middle_of_its_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "MESSAGE_SECONDS", 0.5)
    async with obedient_pool() as pool, asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(WorkerTimedOut, match="in the middle of its answer"):
            await pool.run(Path("freeze"))
        assert (await pool.run(Path("photo"))).name == "photo"
        assert len(workers()) == 1


async def test_a_frozen_worker_that_does_not_take_its_task_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "MESSAGE_SECONDS", 0.5)
    more_than_the_pipe_holds = "x" * 1_000_000
    async with obedient_pool() as pool, asyncio.timeout(PATIENCE_SECONDS):
        frozen = (await pool.run(Path("photo"))).worker
        psutil.Process(frozen).suspend()
        assert (await pool.run(Path("photo", more_than_the_pipe_holds))).worker != frozen
        assert len(workers()) == 1


async def test_the_task_after_one_that_was_given_up_is_not_blamed_for_the_killed_worker() -> None:
    async with obedient_pool() as pool:
        await pool.run(Path("photo"))
        (worker,) = pool._workers
        # As giving up does in the moment in which the answer comes.
        worker.kill()
        assert (await pool.run(Path("photo"))).name == "photo"


def after(told: Path) -> Callable[[Path], Done]:
    told.with_name("has begun").touch()
    while not told.exists():
        time.sleep(0.005)
    return obey


async def test_a_task_that_is_given_up_before_there_is_a_worker_is_not_done(tmp_path: Path) -> None:
    pool = obedient_pool(factory=partial(after, tmp_path / "told"), is_lazy=True)
    async with pool, asyncio.timeout(PATIENCE_SECONDS):
        given_up = asyncio.create_task(pool.run(tmp_path / "hang"))
        await eventually((tmp_path / "has begun").exists)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        (tmp_path / "told").touch()
        assert (await pool.run(Path("photo"))).name == "photo"
        assert not await asyncio.to_thread((tmp_path / "hanging").exists)


async def test_a_task_that_is_given_up_while_its_worker_is_replaced_is_not_done(
    tmp_path: Path,
) -> None:
    async with obedient_pool() as pool, asyncio.timeout(PATIENCE_SECONDS):
        await pool.run(Path("photo"))
        (worker,) = pool._workers
        worker.take()
        worker.kill()
        # As in the moment in which the worker before is seen to be dead.
        with pytest.raises(WorkersStopped):
            worker.run(tmp_path / "hang")
        assert not await asyncio.to_thread((tmp_path / "hanging").exists)
        assert (await pool.run(Path("photo"))).name == "photo"


async def test_what_cannot_be_made_in_a_worker_is_told_at_the_start() -> None:
    with pytest.raises(CannotStart, match="the model is missing"):
        async with WorkerPool(2, refuse, name="test worker"):
            pass


async def test_workers_that_die_at_the_start_are_told() -> None:
    with pytest.raises(WorkerNotStarted, match="a test worker did not start"):
        async with WorkerPool(1, die, name="test worker"):
            pass


async def test_a_worker_that_does_not_start_is_no_crash_of_the_task() -> None:
    async with WorkerPool(1, die, name="test worker", is_lazy=True) as pool:
        for _ in range(2):
            with pytest.raises(WorkerNotStarted):
                await pool.run(Path("photo"))


async def test_a_lazy_pool_starts_no_more_workers_than_are_needed(tmp_path: Path) -> None:
    async with obedient_pool(2, is_lazy=True) as pool:
        assert not workers()
        first = (await pool.run(Path("photo"))).worker
        assert {(await pool.run(Path("photo"))).worker for _ in range(3)} == {first}
        hanging = asyncio.create_task(pool.run(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        assert (await pool.run(Path("photo"))).worker != first
        hanging.cancel()


async def test_a_worker_is_replaced_after_its_last_task() -> None:
    async with obedient_pool(max_tasks=2) as pool:
        did = [(await pool.run(Path("photo"))).worker for _ in range(5)]
    assert did[0] == did[1] != did[2] == did[3] != did[4]


async def test_no_worker_is_left_behind_and_its_task_is_not_blamed(tmp_path: Path) -> None:
    async with obedient_pool() as pool:
        tasks = [asyncio.create_task(pool.run(tmp_path / "hang")) for _ in range(2)]
        await eventually((tmp_path / "hanging").exists)
        assert workers()
    for task in tasks:
        with pytest.raises(WorkersStopped):
            await task
    assert not workers() + templates()


def test_one_pool_serves_one_event_loop_after_the_other(tmp_path: Path) -> None:
    async def crowd() -> set[int]:
        hanging = asyncio.create_task(pool.run(tmp_path / "hang"))
        waiting = [asyncio.create_task(pool.run(Path("photo"))) for _ in range(3)]
        await eventually((tmp_path / "hanging").exists)
        hanging.cancel()
        return {done.worker for done in await asyncio.gather(*waiting)}

    async def leave_a_task_behind() -> None:
        (tmp_path / "hanging").unlink()
        task = asyncio.create_task(pool.run(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        task.cancel()

    pool = obedient_pool()
    pool.start()
    try:
        assert len(asyncio.run(crowd())) == 1
        asyncio.run(leave_a_task_behind())
        (tmp_path / "hanging").unlink()
        assert len(asyncio.run(crowd())) == 1
    finally:
        pool.stop()
    assert not workers() + templates()


PROGRAM = """
import asyncio, sys
from pathlib import Path
from libs.common.workers import pool as pools
from libs.common.workers.{module} import {way}
from tests.common.workers.obedient_pool import obedient_pool

pools.starter = lambda _, *args, **kwargs: {way}(*args, **kwargs)

async def main():
    async with obedient_pool(2) as pool:
        task = asyncio.create_task(pool.run(Path(sys.argv[1])))
        print((await pool.run(Path("photo"))).worker, flush=True)
        await task

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_workers_end_when_their_parent_is_killed(
    tmp_path: Path, way: Callable[..., Starter]
) -> None:
    names = {"module": way.__module__.rpartition(".")[2], "way": way.__name__}
    program = PROGRAM.format(**names)
    parent = subprocess.Popen(  # noqa: ASYNC220 - starts in milliseconds
        [sys.executable, "-c", program, str(tmp_path / "hang")], stdout=subprocess.PIPE
    )
    with parent, ExitStack() as cleaning:
        cleaning.callback(parent.kill)
        assert parent.stdout is not None
        assert await asyncio.to_thread(parent.stdout.readline)
        await eventually((tmp_path / "hanging").exists)
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 2
    await eventually(lambda: not any(child.is_running() for child in children))


async def test_a_task_s_stages_are_told_within_its_caller_s_span() -> None:
    with recording_spans() as spans:
        async with obedient_pool() as pool:
            with tracing.span("good"):
                await pool.run(Path("photo"))
            with tracing.span("refused"), pytest.raises(NoPicture):
                await pool.run(Path("bad"))
            await pool.run(Path("photo"))

    def parts_of(name: str) -> list[str]:
        (span,) = spans.named(name)
        return [part.name for part in spans.children(span)]

    assert parts_of("good") == ["decode", "look"]
    assert parts_of("refused") == ["decode"]
    assert len(spans.all) == 5


async def test_the_gauges_tell_how_many_workers_there_are_and_how_many_are_busy(
    tmp_path: Path, metrics: PoolMetrics, value: Callable[..., float]
) -> None:
    async with obedient_pool(2, metrics=metrics) as pool:
        assert (value("workers"), value("busy")) == (2, 0)
        hanging = asyncio.create_task(pool.run(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        assert (value("workers"), value("busy")) == (2, 1)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        await eventually(lambda: value("busy") == 0)
    assert value("workers") == 0


async def test_workers_that_died_with_a_task_are_counted_by_cause_others_are_not(
    tmp_path: Path, metrics: PoolMetrics, value: Callable[..., float]
) -> None:
    def lost() -> tuple[float, float]:
        return value("lost_total", cause="crashed"), value("lost_total", cause="timed_out")

    async with obedient_pool(timeout_seconds=3, metrics=metrics) as pool:
        with pytest.raises(WorkerCrashed):
            await pool.run(Path("crash"))
        with pytest.raises(WorkerTimedOut):
            await pool.run(tmp_path / "hang")
    # A task that kills its worker is done by another one before it is blamed.
    assert lost() == (2, 1)
    (tmp_path / "hanging").unlink()
    async with obedient_pool(metrics=metrics) as pool:
        given_up = asyncio.create_task(pool.run(tmp_path / "hang"))
        await eventually((tmp_path / "hanging").exists)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        idle = psutil.Process((await pool.run(Path("photo"))).worker)
        idle.kill()
        idle.wait()
        await pool.run(Path("photo"))
    assert lost() == (2, 1)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> PoolMetrics:
    return PoolMetrics(
        Gauge("workers", "there", registry=registry),
        Gauge("busy", "with a task", registry=registry),
        Counter("lost", "died over a task", ["cause"], registry=registry),
        LineMetrics(
            Gauge("waiting", "for a worker", ["share"], registry=registry),
            Histogram("waited", "for a worker", ["share"], registry=registry),
            Gauge("estimate", "for one more", ["share"], registry=registry),
        ),
    )


@pytest.fixture
def value(registry: CollectorRegistry) -> Callable[..., float]:
    return lambda name, **labels: registry.get_sample_value(name, labels) or 0.0


async def test_each_share_of_the_tasks_has_its_part_of_the_workers(tmp_path: Path) -> None:
    other, guests, visitors = Share("other"), Share("guests", 3), Share("visitors")
    async with obedient_pool(folder=tmp_path, shares=(other, guests, visitors)) as pool:
        order: list[str] = []

        async def done(share: Share, name: str) -> None:
            await pool.run_as(share, tmp_path / name)
            order.append(share.name)

        # In the only worker's hands while the others come.
        first = asyncio.create_task(pool.run(tmp_path / "until-told"))
        await eventually((tmp_path / "has begun").exists)
        waiting = [asyncio.create_task(done(visitors, f"visitor{n}")) for n in range(50)]
        waiting += [asyncio.create_task(done(guests, f"guest{n}")) for n in range(5)]
        await asyncio.sleep(0)
        assert pool.wait_seconds(visitors) > pool.wait_seconds(guests) > 0
        (tmp_path / "told").touch()
        await asyncio.gather(first, *waiting)

    # They came last, and would have been served last.
    assert order.index("visitors") < len(order) - 1
    assert "guests" in order[:20]
    assert pool.wait_seconds(visitors) == 0


async def test_what_waits_for_a_worker_is_counted(
    tmp_path: Path, metrics: PoolMetrics, value: Callable[..., float]
) -> None:
    async with obedient_pool(folder=tmp_path, metrics=metrics) as pool:
        first = asyncio.create_task(pool.run(tmp_path / "until-told"))
        await eventually((tmp_path / "has begun").exists)
        second = asyncio.create_task(pool.run(tmp_path / "good"))
        await asyncio.sleep(0)
        assert value("waiting", share="all") == 1
        assert value("estimate", share="all") > 0
        (tmp_path / "told").touch()
        await asyncio.gather(first, second)
    assert value("waiting", share="all") == 0
    assert value("waited_count", share="all") == 2


async def test_a_task_that_is_given_up_while_it_waits_costs_no_turn(tmp_path: Path) -> None:
    async with obedient_pool(folder=tmp_path) as pool:
        first = asyncio.create_task(pool.run(tmp_path / "until-told"))
        await eventually((tmp_path / "has begun").exists)
        given_up = asyncio.create_task(pool.run(tmp_path / "visitor"))
        stays = asyncio.create_task(pool.run(tmp_path / "guest"))
        await asyncio.sleep(0)
        given_up.cancel()
        (tmp_path / "told").touch()

        assert (await stays).worker == (await first).worker
        with pytest.raises(asyncio.CancelledError):
            await given_up
