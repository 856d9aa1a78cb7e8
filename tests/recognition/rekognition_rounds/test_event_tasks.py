import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import pytest

from libs.common.background import BackgroundTasks
from libs.common.errors import Unavailable
from libs.common.messaging.bus.topology import bucket_of
from services.recognition.rekognition_rounds import event_tasks
from services.recognition.rekognition_rounds.event_tasks import MAX_FAILURES, EventTasks, Outlook
from tests.support.polling import eventually

EVENT = 1
#: Of the same partition.
NEIGHBOUR = next(number for number in range(2, 100) if bucket_of(number) == bucket_of(EVENT))


@dataclass
class Work:
    """Events of which something waits, and what was done of them."""

    waiting: set[int] = field(default_factory=set)
    growing: set[int] = field(default_factory=set)
    owned: set[int] = field(default_factory=lambda: {bucket_of(EVENT)})
    errors: list[Exception] = field(default_factory=list)
    watch_errors: list[Exception] = field(default_factory=list)
    steps: Counter[int] = field(default_factory=Counter)
    looks: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def step(self, event_id: int) -> Outlook:
        self.steps[event_id] += 1
        if self.errors:
            raise self.errors.pop(0)
        if event_id in self.growing:
            return Outlook.LATER
        if event_id not in self.waiting:
            return Outlook.NOTHING
        self.begun.set()
        await self.may_end.wait()
        self.waiting.discard(event_id)
        return Outlook.MORE

    async def waiting_events(self) -> set[int]:
        self.looks += 1
        if self.watch_errors:
            raise self.watch_errors.pop(0)
        return self.waiting | self.growing


@pytest.fixture
def work() -> Work:
    work = Work()
    work.may_end.set()
    return work


@pytest.fixture
async def tasks(work: Work, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EventTasks]:
    monkeypatch.setattr(event_tasks, "WATCH_SECONDS", 0.02)
    monkeypatch.setattr(event_tasks, "PAUSES_SECONDS", (0.01,))
    tasks = EventTasks(work, owned=lambda: work.owned)
    yield tasks
    work.may_end.set()
    await tasks.stop()


@pytest.fixture
async def watching(tasks: EventTasks) -> AsyncIterator[None]:
    async with BackgroundTasks() as background:
        background.start("match events", tasks.run)
        yield


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("cannot switch to state 12"),
        asyncpg.AdminShutdownError("terminating connection"),
    ],
)
async def test_the_watch_outlives_a_session_that_ends_in_the_driver_s_own_words(
    tasks: EventTasks, work: Work, error: Exception
) -> None:
    work.watch_errors.append(error)
    watch = asyncio.create_task(tasks.run())
    await eventually(lambda: work.looks > 1 or watch.done())
    assert not watch.done()
    watch.cancel()


async def test_an_event_that_has_to_wait_keeps_no_other_waiting(
    tasks: EventTasks, work: Work
) -> None:
    work.growing.add(EVENT)
    work.waiting.add(NEIGHBOUR)
    await tasks.tell(EVENT)
    await tasks.tell(NEIGHBOUR)
    await eventually(lambda: not work.waiting)
    await eventually(lambda: work.steps[EVENT] > 1)


@pytest.mark.usefixtures("watching")
async def test_what_waits_is_found_without_a_message(tasks: EventTasks, work: Work) -> None:
    work.waiting.add(EVENT)
    await eventually(lambda: not work.waiting)


@pytest.mark.usefixtures("watching")
async def test_what_another_replica_owns_is_left_to_it_until_the_partition_comes(
    tasks: EventTasks, work: Work
) -> None:
    work.owned.clear()
    work.waiting.add(EVENT)
    await tasks.tell(NEIGHBOUR)
    await eventually(lambda: work.looks > 2)
    assert not work.steps
    work.owned.add(bucket_of(EVENT))
    await eventually(lambda: not work.waiting)


async def test_an_event_is_let_go_with_its_partition(tasks: EventTasks, work: Work) -> None:
    work.growing.add(EVENT)
    await tasks.tell(EVENT)
    await eventually(lambda: work.steps[EVENT] > 1)
    work.owned.clear()
    await eventually(lambda: not tasks.attended)


async def test_what_comes_during_the_last_step_is_not_forgotten(
    tasks: EventTasks, work: Work
) -> None:
    work.waiting.add(EVENT)
    work.may_end.clear()
    await tasks.tell(EVENT)
    await work.begun.wait()
    await tasks.tell(EVENT)
    work.may_end.set()
    await eventually(lambda: work.steps[EVENT] >= 2 and not tasks.attended)


async def test_an_outage_is_waited_for_however_long(tasks: EventTasks, work: Work) -> None:
    work.waiting.add(EVENT)
    work.errors = [Unavailable("away")] * (MAX_FAILURES + 2)
    await tasks.tell(EVENT)
    await eventually(lambda: not work.waiting)


@pytest.mark.usefixtures("watching")
async def test_a_failure_that_does_not_pass_becomes_the_messages_own(
    tasks: EventTasks, work: Work
) -> None:
    work.waiting.add(EVENT)
    work.errors = [ValueError("broken")] * (MAX_FAILURES + 1)
    await eventually(lambda: len(work.errors) == 1)
    await eventually(lambda: not tasks.attended)
    with pytest.raises(ValueError, match="broken"):
        await tasks.tell(EVENT)
    await tasks.tell(EVENT)
    assert not work.waiting


async def test_stopping_finishes_the_step_in_hand_and_begins_no_other(
    tasks: EventTasks, work: Work
) -> None:
    work.waiting.add(EVENT)
    work.may_end.clear()
    await tasks.tell(EVENT)
    await work.begun.wait()
    stopping = asyncio.create_task(tasks.stop())
    await asyncio.sleep(0)
    await tasks.tell(NEIGHBOUR)
    assert not stopping.done()
    work.may_end.set()
    await stopping
    assert not work.waiting
    assert work.steps[NEIGHBOUR] == 0


async def test_a_step_that_takes_too_long_is_ended(
    tasks: EventTasks, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_tasks, "STOP_SECONDS", 0.05)
    work.waiting.add(EVENT)
    work.may_end.clear()
    await tasks.tell(EVENT)
    await work.begun.wait()
    await tasks.stop()
    assert work.waiting == {EVENT}
