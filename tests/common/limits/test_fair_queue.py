import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, Histogram

from libs.common.errors import Unavailable
from libs.common.limits.fair_queue import FairQueue, QueueMetrics


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def queue_of(**values: object) -> FairQueue:
    given = {"at_once": 1, "max_waiting": 10, "refusal": "Full.", "retry_after_seconds": 7}
    return FairQueue(**(given | values))  # type: ignore[arg-type]


class Turns:
    """Tasks that hold their turns until they are told to go."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.had: list[str] = []
        self.most = 0
        self._open = 0
        self._tasks: list[asyncio.Task[None]] = []

    def ask(
        self, source: str, name: str, work: Callable[[], Awaitable[None]], *, size: int = 1
    ) -> None:
        async def turn() -> None:
            async with self.queue.turn(source, size=size):
                self._open += 1
                self.most = max(self.most, self._open)
                self.had.append(name)
                await work()
                self._open -= 1

        self._tasks.append(asyncio.create_task(turn()))

    async def outcomes(self) -> list[BaseException | None]:
        return await asyncio.gather(*self._tasks, return_exceptions=True)


async def a_moment() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_whoever_has_many_waits_for_their_own_and_others_come_in_between() -> None:
    turns = Turns(queue_of(max_waiting=100))
    for number in range(80):
        turns.ask("attacker", f"a{number}", a_moment)
    await asyncio.sleep(0)
    turns.ask("guest", "g", a_moment)
    turns.ask("other", "o", a_moment)
    await turns.outcomes()
    assert turns.had.index("g") <= 2
    assert turns.had.index("o") <= 4
    assert turns.had[-1] == "a79"
    assert turns.most == 1


async def test_a_full_queue_refuses_the_last_of_whoever_has_most_in_it() -> None:
    turns = Turns(queue_of(max_waiting=4))
    for number in range(7):
        turns.ask("attacker", f"a{number}", a_moment)
    await asyncio.sleep(0)
    turns.ask("guest", "g", a_moment)
    outcomes = await turns.outcomes()
    # One in hand, four wait, two are refused; the last that waits makes room for the guest.
    assert turns.had == ["a0", "a1", "g", "a2", "a3"]
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert [(type(one), str(one)) for one in refused] == [
        (Unavailable, "Full. Try again in a few seconds.")
    ] * 3


async def test_one_source_has_no_more_places_than_are_for_it() -> None:
    turns = Turns(queue_of(at_once=4, per_source=2))
    for number in range(4):
        turns.ask("slow", f"s{number}", a_moment)
    turns.ask("guest", "g", a_moment)
    await turns.outcomes()
    assert turns.had[:3] == ["s0", "s1", "g"]
    assert turns.most == 3


async def test_who_waits_for_too_long_is_refused_and_who_gives_up_takes_no_place() -> None:
    queue = queue_of(patience_seconds=0.01)
    async with queue.turn("a"):
        with pytest.raises(Unavailable, match=r"Full\."):
            async with queue.turn("b"):
                raise AssertionError
        gives_up = asyncio.create_task(_take(queue, "c"))
        await asyncio.sleep(0)
        gives_up.cancel()
        await asyncio.wait([gives_up])
        assert queue.waiting == 0
    await _take(queue, "d")
    assert queue._in_hand == {}
    assert queue._free == 1


async def test_a_place_that_was_given_as_its_taker_gave_up_is_free_again() -> None:
    queue = queue_of()
    taken, goes = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with queue.turn("a"):
            taken.set()
            await goes.wait()

    holder = asyncio.create_task(hold())
    await taken.wait()
    waiter = asyncio.create_task(_take(queue, "b"))
    await asyncio.sleep(0)
    goes.set()
    await holder
    waiter.cancel()
    await asyncio.wait([waiter])
    assert queue._free == 1


async def test_places_may_be_bytes_and_who_needs_many_is_not_passed_by() -> None:
    turns = Turns(queue_of(at_once=10, per_source=6))
    for source, size in (("a", 6), ("b", 3), ("c", 5), ("d", 1), ("e", 2)):
        turns.ask(source, source, a_moment, size=size)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    # Nine are taken; c needs five, and d waits behind it.
    assert turns.had == ["a", "b"]
    await turns.outcomes()
    assert turns.had == ["a", "b", "c", "d", "e"]
    assert turns.queue._free == 10
    assert turns.queue._in_hand == {}


async def test_what_is_larger_than_all_of_it_comes_alone() -> None:
    turns = Turns(queue_of(at_once=4))
    turns.ask("a", "a", a_moment, size=100)
    turns.ask("b", "b", a_moment)
    await turns.outcomes()
    assert turns.had == ["a", "b"]
    assert turns.most == 1


async def test_who_would_wait_too_long_is_told_so_at_once_and_when_to_come_back() -> None:
    queue = queue_of(patience_seconds=20, retry_after_seconds=1)
    queue._note_held(8.0)
    assert queue.wait_seconds("me") == 0
    async with queue.turn("a"):
        assert queue.wait_seconds("me") == pytest.approx(8)
        first, second = [asyncio.create_task(_take(queue, source)) for source in "bc"]
        await asyncio.sleep(0)
        # After b's and c's; each of them would have this one of theirs come in between.
        assert queue.wait_seconds("me") == pytest.approx(24)
        with pytest.raises(Unavailable) as refused:
            await _take(queue, "me")
        assert refused.value.retry_after_seconds == 24
        # What comes afterwards counts, too.
        second.cancel()
        await asyncio.wait([second])
        with pytest.raises(Unavailable) as refused:
            async with queue.turn("me", further_seconds=5):
                raise AssertionError
        assert refused.value.retry_after_seconds == 21
    await first
    await _take(queue, "me")


async def test_whoever_has_many_waits_for_their_own_and_is_told_so() -> None:
    queue = queue_of(at_once=4, per_source=1)
    queue._note_held(2.0)
    async with queue.turn("many"):
        waiting = [asyncio.create_task(_take(queue, "many")) for _ in range(3)]
        await asyncio.sleep(0)
        assert queue.wait_seconds("many") == pytest.approx(8)
        assert queue.wait_seconds("other") == 0
    await asyncio.gather(*waiting)


async def test_what_waits_is_counted(registry: CollectorRegistry) -> None:
    metrics = QueueMetrics(
        Gauge("waiting", "now", ["line"], registry=registry),
        Histogram("waited", "for a turn", ["line"], registry=registry),
        Gauge("estimate", "for one more", ["line"], registry=registry),
    )
    queue = queue_of(metrics=metrics, line="uploads")
    assert registry.get_sample_value("waiting", {"line": "uploads"}) == 0

    def value(name: str) -> float | None:
        return registry.get_sample_value(name, {"line": "uploads"})

    async with queue.turn("a"):
        waiting = [asyncio.create_task(_take(queue, source)) for source in "bc"]
        await asyncio.sleep(0)
        assert value("waiting") == 2
        queue._note_held(3.0)
        assert value("estimate") == pytest.approx(9)
    await asyncio.gather(*waiting)
    assert value("waiting") == 0
    assert value("waited_count") == 3
    assert value("estimate") == 0


async def _take(queue: FairQueue, source: str) -> None:
    async with queue.turn(source):
        pass


@pytest.mark.parametrize(("seconds", "told"), [(7, "in a few seconds"), (60, "in 60 seconds")])
async def test_who_is_refused_is_told_when_to_come_back(seconds: int, told: str) -> None:
    queue = queue_of(max_waiting=0, retry_after_seconds=seconds)
    async with queue.turn("ann"):
        with pytest.raises(Unavailable, match=f"^Full. Try again {told}.$") as refused:
            async with queue.turn("bob"):
                pass
    assert refused.value.retry_after_seconds == seconds


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(1, 3)), max_size=40),
    st.integers(1, 3),
    st.integers(1, 3),
)
async def test_how_many_wait_is_known_however_they_come_and_go(
    steps: list[tuple[int, int, int]], at_once: int, per_source: int
) -> None:
    queue = queue_of(at_once=at_once, per_source=per_source, max_waiting=6, patience_seconds=60)
    here: list[asyncio.Task[None]] = []

    async def stay(source: str, size: int) -> None:
        async with queue.turn(source, size=size):
            await asyncio.Event().wait()

    for source, leaver, size in steps:
        here.append(asyncio.create_task(stay(str(source), size)))
        if leaver < len(here):
            here.pop(leaver).cancel()
        await a_moment()
        assert queue.waiting == sum(map(len, queue._queues.values()))
        places = [place for queued in queue._queues.values() for place in queued]
        assert queue._waiting_size == sum(place.size for place in places)
    for task in here:
        task.cancel()
    await asyncio.gather(*here, return_exceptions=True)
    assert queue.waiting == queue._waiting_size == 0


@given(st.data(), st.integers(1, 4), st.integers(1, 5), st.floats(0, 5), st.floats(0.01, 1))
async def test_who_is_refused_is_who_would_wait_too_long(
    data: st.DataObject, at_once: int, per_source: int, patience: float, held: float
) -> None:
    queue = queue_of(
        at_once=at_once, per_source=per_source, max_waiting=99, patience_seconds=patience
    )
    queue._held_seconds = held
    sizes = st.integers(1, per_source)
    for source, size in data.draw(st.lists(st.tuples(st.sampled_from("abc"), sizes), max_size=8)):
        queue._line_up(source, size)
        queue._grant()
    source, size = data.draw(st.sampled_from("abcd")), data.draw(sizes)
    waits_too_long = queue.wait_seconds(source, size=size) > patience
    refused = False
    try:
        queue._check_patience(source, size, 0)
    except Unavailable:
        refused = True
    assert refused is waits_too_long
