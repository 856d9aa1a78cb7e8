import asyncio

import pytest

from libs.common.messaging.bus.subscriptions import RunningSubscription, unless_set


async def test_work_that_ends_first_gives_its_result() -> None:
    assert await unless_set(asyncio.sleep(0, "done"), asyncio.Event()) == "done"


async def test_an_event_that_comes_first_cancels_the_work() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(unless_set(asyncio.Event().wait(), asyncio.Event(), event))
    await asyncio.sleep(0)
    event.set()
    assert await waiting is None


async def test_work_is_not_started_after_the_event() -> None:
    event = asyncio.Event()
    event.set()
    started = False

    async def work() -> None:
        nonlocal started
        started = True

    await unless_set(work(), event)
    assert not started


async def test_stop_raises_what_ended_the_subscription() -> None:
    async def run() -> None:
        raise RuntimeError("a defect")

    subscription = RunningSubscription(run(), asyncio.Event(), name="test")
    with pytest.raises(RuntimeError, match="a defect"):
        await subscription.stop()
