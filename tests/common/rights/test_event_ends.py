"""What a process knows of when events end, and that nobody waits for it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, func, text, update

from libs.common.database.database import Database
from libs.common.database.tables import events
from libs.common.rights import event_ends
from libs.common.rights.event_ends import (
    FRESH_SECONDS,
    RETRY_SECONDS,
    EventEnds,
    EventErased,
    EventOver,
    EventState,
)
from libs.common.settings import CommonSettings
from tests.support.polling import PATIENCE_SECONDS
from tests.support.rows import Rows


class Clock:
    """A monotonic clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def answers_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's database may take longer than anybody would wait for it."""
    monkeypatch.setattr(event_ends, "ASK_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ends(database: Database, clock: Clock) -> AsyncIterator[EventEnds]:
    async with ending(EventEnds(database, clock=clock)) as ends:
        yield ends


@contextlib.asynccontextmanager
async def ending(ends: EventEnds) -> AsyncIterator[EventEnds]:
    yield ends
    await ends.close()


@pytest.fixture
def asked(database: Database) -> list[str]:
    """The statements about events."""
    found: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "expires_at" in statement:
            found.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    return found


async def an_event(database: Database, seconds: float = 60) -> int:
    rows = Rows(database)
    event_id = await rows.event()
    end: Any = func.clock_timestamp() + timedelta(seconds=seconds)
    await rows.execute(update(events).values(expires_at=end))
    return event_id


async def is_over(ends: EventEnds, event_id: int) -> bool:
    end = await ends.of(event_id)
    assert end is not None
    assert end.exists
    return ends.state(end).is_over


async def test_the_database_is_asked_once_for_all_who_ask(
    database: Database, ends: EventEnds, asked: list[str]
) -> None:
    event_id = await an_event(database)
    asked.clear()
    assert await asyncio.gather(*(is_over(ends, event_id) for _ in range(50))) == [False] * 50
    assert not await is_over(ends, event_id)
    assert len(asked) == 1


async def test_the_end_is_known_to_the_moment_without_asking(
    database: Database, ends: EventEnds, clock: Clock
) -> None:
    event_id = await an_event(database, seconds=3600)
    end = await ends.of(event_id)
    assert end is not None
    left = ends.seconds_left(end)
    assert 0 < left <= 3600
    clock.now += left - 0.5
    assert not ends.state(end).is_over
    clock.now += 0.5
    assert ends.state(end).is_over


async def test_an_end_that_was_moved_is_known_after_a_second_or_a_message(
    database: Database, ends: EventEnds, clock: Clock
) -> None:
    event_id = await an_event(database)
    assert not await is_over(ends, event_id)
    await Rows(database).execute(update(events).values(expires_at=func.now()))
    assert not await is_over(ends, event_id)
    clock.now += FRESH_SECONDS
    assert await is_over(ends, event_id)
    later: Any = func.now() + timedelta(minutes=5)
    await Rows(database).execute(update(events).values(expires_at=later))
    ends.forget(event_id)
    assert not await is_over(ends, event_id)


async def test_an_event_that_is_deleted_is_told_apart_from_one_that_is_over(
    database: Database, ends: EventEnds
) -> None:
    event_id = await an_event(database)
    await Rows(database).execute(delete(events))
    end = await ends.of(event_id)
    assert end is not None
    assert not end.exists


async def test_while_the_database_is_silent_what_was_known_counts_and_nobody_waits_for_it(
    settings: CommonSettings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waited for this one would never come back.
    silent = settings.model_copy(update={"db_lock_timeout": 3600, "db_command_timeout": 3600})
    async with Database.open(silent) as database, ending(EventEnds(database, clock=clock)) as ends:
        known, unknown = await an_event(database), await an_event(database)
        assert not await is_over(ends, known)
        ends.forget(known)
        monkeypatch.setattr(event_ends, "ASK_SECONDS", 0.01)
        async with database.unit_of_work(patient=True) as unit:
            await unit.connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
            assert await ends.of(unknown) is None
            for _ in range(5):
                assert not await is_over(ends, known)
            clock.now += 61
            assert await is_over(ends, known)


async def test_a_database_that_fails_is_left_alone_for_a_while(
    database: Database, ends: EventEnds, clock: Clock, asked: list[str]
) -> None:
    event_id = await an_event(database)
    rename = "ALTER TABLE events RENAME COLUMN {} TO {}"
    await Rows(database).execute(text(rename.format("expires_at", "moved")))
    asked.clear()
    for _ in range(3):
        assert await ends.of(event_id) is None
    assert len(asked) == 1
    await Rows(database).execute(text(rename.format("moved", "expires_at")))
    clock.now += RETRY_SECONDS
    assert not await is_over(ends, event_id)


async def test_the_databases_time_is_told_whatever_the_machines_clock_says(
    database: Database, ends: EventEnds, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    await ends.learn_time()
    assert abs(ends.now() - real()) < 60


@pytest.mark.parametrize(
    ("state", "for_guest", "for_runner"),
    [
        (EventState(is_over=False, is_erased=False), None, None),
        (EventState(is_over=True, is_erased=False), EventOver, None),
        (EventState(is_over=True, is_erased=True), EventErased, EventErased),
        (EventState(is_over=False, is_erased=True), EventErased, EventErased),
    ],
)
def test_an_event_closes_to_its_guests_and_once_erased_to_all(
    state: EventState,
    for_guest: type[Exception] | None,
    for_runner: type[Exception] | None,
) -> None:
    for runs_event, expected in ((False, for_guest), (True, for_runner)):
        raised = None
        try:
            state.require_open(7, runs_event=runs_event)
        except EventOver as error:
            raised = type(error)
        assert raised is expected
