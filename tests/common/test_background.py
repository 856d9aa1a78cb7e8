import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from prometheus_client import REGISTRY

from libs.common import background as background_module
from libs.common.background import BackgroundTaskDown, BackgroundTasks
from tests.support.polling import eventually


class Work:
    """Fails as often as it was told to, then runs until it is cancelled."""

    def __init__(self, *, failures: int, error: BaseException | None) -> None:
        self.failures = failures
        self.error = error
        self.begun = 0
        self.cancelled = False

    async def run(self) -> None:
        self.begun += 1
        if self.begun <= self.failures:
            if self.error is not None:
                raise self.error
            return
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


def failures(name: str) -> float:
    found = REGISTRY.get_sample_value("findme_background_failures_total", {"task": name})
    return found or 0.0


@pytest.mark.parametrize("error", [OverflowError("too large"), asyncio.CancelledError(), None])
async def test_a_task_that_ends_by_itself_is_begun_again(error: BaseException | None) -> None:
    work = Work(failures=2, error=error)
    before = failures("relay")

    async with BackgroundTasks(first_pause_seconds=0.01) as background:
        background.start("relay", work.run)
        await eventually(lambda: work.begun == 3)
        await background.check()

    assert work.cancelled
    assert failures("relay") == before + 2


async def test_while_it_is_down_the_process_is_not_ready_and_says_which_and_why() -> None:
    down = Work(failures=1, error=ZeroDivisionError("a bad row"))
    well = Work(failures=0, error=None)

    async with BackgroundTasks(first_pause_seconds=60) as background:
        background.start("reconciler", down.run)
        background.start("relay", well.run)
        await eventually(lambda: down.begun == 1 and well.begun == 1)
        with pytest.raises(BackgroundTaskDown) as caught:
            await background.check()

    assert str(caught.value) == "not running: reconciler (ZeroDivisionError)"


async def test_tasks_are_ended_in_reverse_order() -> None:
    ended: list[str] = []

    def work(name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)

        return run

    async with BackgroundTasks() as background:
        background.start("first", work("first"))
        background.start("second", work("second"))
        await asyncio.sleep(0)

    assert ended == ["second", "first"]


async def test_a_task_that_was_stopped_is_not_missed() -> None:
    work = Work(failures=0, error=None)
    async with BackgroundTasks() as background:
        task = background.start("partitions", work.run)
        await eventually(lambda: work.begun)
        await task.stop()
        await background.check()
    assert work.cancelled


async def test_what_tidies_up_begins_after_what_is_started_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background_module, "TIDYING_AFTER_SECONDS", 0.05)
    begun: list[str] = []

    def noting(name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def note() -> None:
            begun.append(name)
            await asyncio.Event().wait()

        return note

    async with BackgroundTasks() as background:
        background.tidy("limits", noting("limits"))
        background.start("relay", noting("relay"))
        await eventually(lambda: len(begun) == 2)
        await background.check()

    assert begun == ["relay", "limits"]


async def test_what_has_not_begun_yet_ends_with_the_rest() -> None:
    work = Work(failures=0, error=None)

    async with BackgroundTasks() as background:
        background.tidy("limits", work.run)

    assert work.begun == 0
