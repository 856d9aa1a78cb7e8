import asyncio

import pytest

from services.media.renditions.single_flight import SingleFlight
from tests.support.polling import PATIENCE_SECONDS


async def test_callers_of_one_key_share_a_run_and_the_next_gets_a_new_one() -> None:
    runs = 0

    async def work() -> int:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0)
        return runs

    async with SingleFlight[int]() as flights:
        first = await asyncio.gather(*(flights.run("key", work) for _ in range(5)))
        second = await flights.run("key", work)

    assert first == [1] * 5
    assert second == 2


async def test_different_keys_run_side_by_side() -> None:
    both_run = asyncio.Barrier(2)

    async def work() -> int:
        return await both_run.wait()

    async with SingleFlight[int]() as flights, asyncio.timeout(PATIENCE_SECONDS):
        results = await asyncio.gather(flights.run("a", work), flights.run("b", work))

    assert sorted(results) == [0, 1]


async def test_all_callers_get_the_error_and_the_next_tries_again() -> None:
    attempts = 0

    async def work() -> int:
        nonlocal attempts
        attempts += 1
        raise ValueError(attempts)

    async with SingleFlight[int]() as flights:
        results = await asyncio.gather(
            flights.run("key", work), flights.run("key", work), return_exceptions=True
        )
        with pytest.raises(ValueError, match="2"):
            await flights.run("key", work)

    assert [str(result) for result in results] == ["1", "1"]


async def test_a_caller_that_leaves_does_not_stop_the_others() -> None:
    may_finish = asyncio.Event()

    async def work() -> str:
        await may_finish.wait()
        return "done"

    async with SingleFlight[str]() as flights:
        leaver = asyncio.create_task(flights.run("key", work))
        stayer = asyncio.create_task(flights.run("key", work))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        may_finish.set()

        assert await stayer == "done"


async def test_leaving_the_block_stops_what_still_runs() -> None:
    started = asyncio.Event()
    stopped = asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with SingleFlight[None]() as flights:
        caller = asyncio.create_task(flights.run("key", work))
        await started.wait()

    assert stopped.is_set()
    await asyncio.gather(caller, return_exceptions=True)
