"""How many uploads run at once, and how long a failing server is left alone."""

import asyncio
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findme_watch.asking import asked_at_once
from findme_watch.pace import (
    LONGEST_PAUSE_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    Pace,
    parse_retry_after,
    pause_seconds,
)
from findme_watch.server import MAX_ASKED
from findme_watch.turns import Turns
from tests.support.polling import PATIENCE_SECONDS

MOST = 8


def after(outcomes: list[bool], pace: Pace) -> Pace:
    for went_well in outcomes:
        pace = pace.after_success() if went_well else pace.after_failure()
    return pace


@given(st.lists(st.booleans(), max_size=200))
def test_the_pace_stays_between_one_and_the_most(outcomes: list[bool]) -> None:
    assert 1 <= after(outcomes, Pace(MOST)).limit <= MOST


@given(st.lists(st.booleans(), max_size=50))
def test_whatever_happened_a_good_link_is_filled_again(outcomes: list[bool]) -> None:
    pace = after(outcomes, Pace(MOST))
    assert after([True] * sum(range(MOST + 1)), pace).limit == MOST


@given(st.lists(st.booleans(), max_size=50))
def test_a_failure_halves_the_pace_and_a_success_forgets_the_failures(outcomes: list[bool]) -> None:
    pace = after(outcomes, Pace(MOST))
    assert pace.after_failure().limit == max(1, pace.limit // 2)
    assert pace.after_failure().failures == pace.failures + 1
    assert pace.after_failure().after_success().failures == 0


@given(failures=st.integers(1, 10_000), seed=st.integers())
def test_pauses_grow_to_a_minute_and_no_further(failures: int, seed: int) -> None:
    pause = pause_seconds(failures, rng=random.Random(seed))
    assert 0 < pause <= LONGEST_PAUSE_SECONDS
    if failures > 10:
        assert pause >= LONGEST_PAUSE_SECONDS / 2


@given(asked=st.floats(0, 1e6), failures=st.integers(1, 20), seed=st.integers())
def test_the_server_is_left_alone_for_as_long_as_it_asks(
    asked: float, failures: int, seed: int
) -> None:
    pause = pause_seconds(failures, retry_after=asked, rng=random.Random(seed))
    assert pause >= min(asked, LONGEST_RETRY_AFTER_SECONDS)
    assert pause <= max(LONGEST_RETRY_AFTER_SECONDS * 1.1, LONGEST_PAUSE_SECONDS)


@given(failures=st.integers(0, 1000))
def test_after_failures_less_is_asked_at_once_so_that_a_bad_link_carries_it(failures: int) -> None:
    assert 10 <= asked_at_once(failures) <= asked_at_once(0) == MAX_ASKED
    assert asked_at_once(10) == 10


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("Sat, 28 Nov 2026 18:00:30 GMT", 30.0),
        ("Sat, 28 Nov 2026 17:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str | None, seconds: float | None) -> None:
    now = datetime(2026, 11, 28, 18, 0, 0, tzinfo=UTC)
    assert parse_retry_after(value, now=now) == seconds


async def test_one_broken_link_is_one_failure_however_many_uploads_it_takes_along() -> None:
    turns = Turns(MOST)
    for _ in range(100):
        turns.succeeded()
    assert turns.pace.limit == MOST
    all_in, broken = asyncio.Barrier(MOST + 1), asyncio.Event()

    async def upload() -> None:
        async with turns.turn() as turn:
            await all_in.wait()
            await broken.wait()
            turn.failed()

    async with asyncio.TaskGroup() as uploads:
        for _ in range(MOST):
            uploads.create_task(upload())
        await all_in.wait()
        broken.set()
    assert (turns.pace.failures, turns.pace.limit) == (1, MOST // 2)
    assert 0 < turns.paused_seconds <= 0.5


async def test_nobody_has_a_turn_in_a_pause_and_everybody_after_it() -> None:
    turns = Turns(MOST)
    began = asyncio.get_running_loop().time()
    async with turns.turn() as turn:
        turn.failed(retry_after=0.2)
    async with turns.turn():
        assert asyncio.get_running_loop().time() - began >= 0.2


async def test_who_waited_and_went_away_takes_no_turn_along() -> None:
    turns = Turns(1)
    async with turns.turn():
        waiting = asyncio.create_task(_hold(turns))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(PATIENCE_SECONDS), turns.turn():
        pass


async def _hold(turns: Turns) -> None:
    async with turns.turn():
        await asyncio.Event().wait()
