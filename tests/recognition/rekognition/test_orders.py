"""Whatever comes in whatever order: everything meets, and it costs little."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.recognition.indexes.rekognition.planner import Comparisons
from services.recognition.rekognition_rounds.batching import FIRST_SEARCHES, LONG_QUIET_SECONDS
from tests.support.rekognition.timeline import (
    ANALYSIS_SECONDS,
    Arrivals,
    Economical,
    Event,
    Plain,
    Snapshot,
    play,
)

#: 90 photos of 4 faces on average, and 50 guests.
CHOSEN = random.Random(4)
FACES = [CHOSEN.randint(1, 7) for _ in range(90)]


def photos(begin: float, end: float) -> list[tuple[float, int]]:
    step = (end - begin) / len(FACES)
    return [(begin + number * step, faces) for number, faces in enumerate(FACES)]


def evenly(begin: float, end: float, count: int = 50) -> list[float]:
    return [begin + number * (end - begin) / count for number in range(count)]


ORDERS = {
    "guests first": Arrivals(photos(10, 20), evenly(0, 5)),
    "photos first": Arrivals(photos(0, 10), evenly(15, 20)),
    "all at once": Arrivals(photos(0, 10), evenly(0.5, 3)),
    "guests one by one while photos stream": Arrivals(photos(0, 18), evenly(0, 18)),
    "guests as the photos end": Arrivals(photos(0, 10), evenly(9, 14)),
    "half of the guests late": Arrivals(photos(0, 15), evenly(0, 2, 25) + evenly(10, 18, 25)),
    "a slow stream": Arrivals(photos(0, 28), evenly(0, 28)),
}


@pytest.mark.parametrize("order", ORDERS)
def test_the_old_products_case_takes_few_searches_in_every_order(order: str) -> None:
    arrivals = ORDERS[order]
    passed = play(arrivals, Economical())
    assert len(passed.event.met) == arrivals.pairs
    assert passed.event.searches <= 250 - len(FACES) - len(arrivals.selfies) - 1
    assert passed.event.searches <= play(arrivals, Plain()).event.searches


def timed(most: int) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(0, 25), max_size=most).map(sorted)


@given(
    st.lists(st.tuples(st.floats(0, 25), st.integers(1, 8)), max_size=60),
    timed(30),
)
@settings(max_examples=300, deadline=None)
def test_a_burst_costs_two_searches_a_guest_and_its_first_photos(
    some_photos: list[tuple[float, int]], selfies: list[float]
) -> None:
    arrivals = Arrivals(some_photos, selfies)
    passed = play(arrivals, Economical())
    assert len(passed.event.met) == arrivals.pairs
    uploads = sorted(at for at, _ in some_photos)
    # One that pauses for so long looks as if it had ended.
    pauses = sum(
        later - earlier > LONG_QUIET_SECONDS - ANALYSIS_SECONDS
        for earlier, later in pairwise(uploads)
    )
    assert passed.event.searches <= (2 + pauses) * len(selfies) + FIRST_SEARCHES
    assert passed.longest_wait <= 3 * 10 + 10


class Owner:
    """A replica that believes it owns the event; what it knows goes with it."""

    def __init__(self) -> None:
        self.comparisons = Comparisons()
        self.in_hand: Snapshot | None = None


steps = st.lists(
    st.one_of(
        st.tuples(st.just("photo"), st.integers(1, 3)),
        st.tuples(st.just("selfie"), st.just(0)),
        st.tuples(st.sampled_from(["begin", "commit", "crash"]), st.integers(0, 7)),
    ),
    max_size=40,
)


@given(steps, st.randoms(use_true_random=False))
@settings(max_examples=500, deadline=None)
def test_everything_meets_with_two_owners_that_crash_between_search_and_commit(
    some_steps: list[tuple[str, int]], chosen: random.Random
) -> None:
    event, owners = Event(), [Owner(), Owner()]
    for step, number in some_steps:
        owner = owners[number % 2]
        match step:
            case "photo":
                event.add_photo(number)
            case "selfie":
                event.add_selfie()
            case "begin" if owner.in_hand is None:
                some = [photo_id for photo_id in event.waiting if chosen.random() < number / 6]
                owner.in_hand = event.begin(some, owner.comparisons)
            case "commit" if owner.in_hand is not None:
                event.commit(owner.in_hand, owner.comparisons)
                owner.in_hand = None
            case "crash":
                owners[number % 2] = Owner()
    last = owners[0]
    event.commit(event.begin(list(event.waiting), last.comparisons), last.comparisons)
    assert not event.waiting
    assert len(event.met) == len(event.old_selfies) * len(event.done)
