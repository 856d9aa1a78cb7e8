"""A task that was told to end ends, also where its first word was lost."""

import asyncio

import pytest

from libs.common import tasks
from libs.common.background import BackgroundTasks
from tests.support.logged import written_logs
from tests.support.polling import PATIENCE_SECONDS, eventually


class Deaf:
    """Runs on as often as it is cancelled, up to a number of times."""

    def __init__(self, *, times: int) -> None:
        self.times = times
        self.heard = 0
        self.runs = asyncio.Event()

    async def run(self) -> None:
        while True:
            self.runs.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.heard += 1
                if self.heard > self.times:
                    raise


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.common.background.STOP_SECONDS", 0.05)


async def begun(deaf: Deaf, name: str) -> asyncio.Task[None]:
    task = asyncio.create_task(deaf.run(), name=name)
    await deaf.runs.wait()
    return task


async def test_a_task_that_swallows_its_first_cancellation_is_cancelled_again_and_named() -> None:
    deaf = Deaf(times=1)
    task, other = await begun(deaf, "deaf one"), await begun(Deaf(times=0), "good one")
    with written_logs("json") as logged:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await tasks.end(task, other, again_seconds=0.05)
    assert task.cancelled()
    assert other.cancelled()
    assert "deaf one" in logged()
    assert "test_tasks.py" in logged()
    assert "good one" not in logged()


async def test_a_task_that_hears_no_word_at_all_is_left_and_told_of() -> None:
    deaf = Deaf(times=tasks.TRIES)
    task = await begun(deaf, "deaf one")
    with written_logs("json") as logged:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await tasks.end(task, again_seconds=0.01)
    assert not task.done()
    assert "task_not_ended" in logged()
    await tasks.end(task)


async def test_what_a_task_ends_by_is_nobodys_who_ends_it() -> None:
    async def fail_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError

    failing = asyncio.create_task(fail_at_the_end())
    await asyncio.sleep(0)
    await tasks.end(failing)
    assert failing.done()
    await tasks.end()


async def test_who_is_cancelled_while_ending_tasks_cancels_them_again_and_leaves_none_behind() -> (
    None
):
    deaf = Deaf(times=1)
    task = await begun(deaf, "deaf one")
    ending = asyncio.create_task(tasks.end(task, again_seconds=3600))
    await eventually(lambda: deaf.heard == 1)
    ending.cancel()
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await ending
    assert task.cancelled()


@pytest.mark.parametrize("turns", range(6))
async def test_a_wait_that_is_cancelled_as_its_event_comes_is_cancelled(turns: int) -> None:
    event = asyncio.Event()

    async def wait_twice() -> None:
        await tasks.happens(event, within_seconds=3600)
        await asyncio.Event().wait()

    waiting = asyncio.create_task(wait_twice())
    await asyncio.sleep(0)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    done, _ = await asyncio.wait([waiting], timeout=PATIENCE_SECONDS)
    assert done


async def test_a_wait_tells_whether_its_event_came() -> None:
    event = asyncio.Event()
    assert not await tasks.happens(event, within_seconds=0.01)
    event.set()
    assert await tasks.happens(event, within_seconds=0.01)


@pytest.mark.usefixtures("impatient")
async def test_background_work_that_swallows_its_first_cancellation_ends_all_the_same() -> None:
    deaf = Deaf(times=1)
    with written_logs("json") as logged:
        async with asyncio.timeout(PATIENCE_SECONDS), BackgroundTasks() as background:
            background.start("deaf work", deaf.run)
            await deaf.runs.wait()
    assert deaf.heard == 2
    assert "deaf work" in logged()


async def test_background_work_that_fails_as_it_is_stopped_is_not_begun_again() -> None:
    begun = 0

    async def run() -> None:
        nonlocal begun
        begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionResetError

    async with asyncio.timeout(PATIENCE_SECONDS), BackgroundTasks() as background:
        background.start("failing work", run)
        await eventually(lambda: begun)
    assert begun == 1
