import asyncio
from contextlib import AsyncExitStack

import pytest

from libs.common.errors import Unavailable
from services.ingest.context import Admission
from tests.support.polling import eventually


def admission(*, at_once: int = 1, waiting: int = 1, patience_seconds: float = 30.0) -> Admission:
    return Admission(at_once=at_once, waiting=waiting, patience_seconds=patience_seconds)


async def test_as_many_as_allowed_are_in_at_once() -> None:
    door = admission(at_once=2, waiting=0)
    async with door.enter(), door.enter():
        with pytest.raises(Unavailable) as refused:
            async with door.enter():
                pass
    assert refused.value.retry_after_seconds > 0
    async with door.enter():
        pass


async def test_one_that_waits_gets_its_turn() -> None:
    door = admission()
    entered = asyncio.Event()

    async def visit() -> None:
        async with door.enter():
            entered.set()

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(door.enter())
        visitor = asyncio.create_task(visit())
        await eventually(lambda: door._waiting == 1)
        assert not entered.is_set()
    await visitor
    assert entered.is_set()


async def test_patience_ends() -> None:
    door = admission(patience_seconds=0.01)
    async with door.enter():
        with pytest.raises(Unavailable):
            async with door.enter():
                pass
    assert door._waiting == 0


async def test_one_that_gives_up_leaves_the_line() -> None:
    door = admission()
    async with door.enter():
        visitor = asyncio.create_task(door.enter().__aenter__())
        await eventually(lambda: door._waiting == 1)
        visitor.cancel()
        with pytest.raises(asyncio.CancelledError):
            await visitor
        assert door._waiting == 0
    async with door.enter():
        pass
