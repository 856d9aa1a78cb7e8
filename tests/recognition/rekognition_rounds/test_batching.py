from dataclasses import replace

import pytest

from services.recognition.rekognition_rounds.batching import (
    FIRST_SEARCHES,
    FIRST_SECONDS,
    LONG_QUIET_SECONDS,
    QUIET_SECONDS,
    BatchLimits,
    Burst,
    Take,
    Waiting,
    first_photos,
)

LIMITS = BatchLimits(photos=100, seconds=10)
GROWING = Waiting(
    photos=20,
    faces=80,
    photos_to_come=3,
    waited_seconds=0.2,
    quiet_seconds=0.1,
    new_selfies=0,
    old_selfies=50,
)


def burst(*, searches: int = 0, first_searches: int = 0, has_found: bool = True) -> Burst:
    return Burst(0, 0, searches, first_searches, has_found)


def take(waiting: Waiting, state: Burst | None = None, **options: int) -> Take:
    return LIMITS.photos_to_take(waiting, state or burst(), **options)


def test_a_batch_stays_open_while_photos_come() -> None:
    assert take(GROWING) is Take.NOTHING
    assert take(replace(GROWING, photos_to_come=0)) is Take.NOTHING
    assert take(replace(GROWING, quiet_seconds=60)) is Take.NOTHING


def test_a_batch_closes_when_it_is_full() -> None:
    assert take(replace(GROWING, photos=100)) is Take.ALL


def test_a_batch_closes_when_no_photo_is_left_and_none_was_sent_lately() -> None:
    ended = replace(GROWING, photos_to_come=0, quiet_seconds=QUIET_SECONDS)
    assert take(ended) is Take.ALL


def test_a_dear_batch_waits_longer_for_the_end_of_the_burst() -> None:
    ended = replace(GROWING, photos_to_come=0, quiet_seconds=QUIET_SECONDS)
    dear = burst(searches=1)
    assert take(ended, dear) is Take.NOTHING
    assert take(replace(ended, quiet_seconds=LONG_QUIET_SECONDS), dear) is Take.ALL


def test_a_batch_closes_in_time_once_in_a_burst_and_then_takes_longer() -> None:
    waited = replace(GROWING, waited_seconds=10)
    assert take(waited) is Take.ALL
    assert take(waited, burst(searches=50)) is Take.NOTHING
    assert take(replace(waited, waited_seconds=30), burst(searches=50)) is Take.ALL


def test_photos_that_cost_nothing_do_not_wait() -> None:
    assert take(replace(GROWING, old_selfies=0)) is Take.ALL
    assert take(replace(GROWING, old_selfies=0, new_selfies=7)) is Take.ALL
    assert take(GROWING, compared=50) is Take.ALL
    assert take(GROWING, compared=49) is Take.NOTHING


def test_the_first_photos_of_a_burst_are_matched_early() -> None:
    waited = replace(GROWING, waited_seconds=FIRST_SECONDS)
    unseen = burst(has_found=False)
    assert take(GROWING, unseen) is Take.NOTHING
    assert take(waited, unseen) is Take.FIRST
    assert take(replace(waited, faces=FIRST_SEARCHES), unseen) is Take.ALL


def test_when_the_first_photos_showed_nobody_the_batch_does_not_wait() -> None:
    waited = replace(GROWING, waited_seconds=FIRST_SECONDS)
    assert take(waited, burst(first_searches=FIRST_SEARCHES, has_found=False)) is Take.ALL


def test_no_batch_waits_longer_than_the_operator_allows() -> None:
    hasty = BatchLimits(photos=100, seconds=0.2)
    waited = replace(GROWING, waited_seconds=0.7)
    assert hasty.photos_to_take(waited, burst(searches=50)) is Take.ALL
    assert hasty.photos_to_take(waited, burst(has_found=False)) is Take.ALL


@pytest.mark.parametrize(
    ("faces", "chosen"),
    [
        ({1: 4, 2: 4, 3: 1}, [1, 2]),
        ({1: 9, 2: 5, 3: 4, 4: 3}, [2, 4]),
        ({1: 9}, []),
    ],
)
def test_the_first_photos_are_those_that_cost_little(
    faces: dict[int, int], chosen: list[int]
) -> None:
    assert first_photos(faces, searches=FIRST_SEARCHES) == chosen


def test_a_new_selfies_own_search_is_not_one_for_first_photos() -> None:
    state = burst(has_found=False)
    state.spend(12, new_selfies=5, has_found=False)
    assert (state.searches, state.first_searches) == (5, 7)
    state.spend(7, new_selfies=0, has_found=True)
    assert (state.searches, state.first_searches, state.has_found) == (12, 7, True)


def test_a_burst_ends_when_no_photo_came_for_long_and_a_long_one_begins_anew() -> None:
    state = LIMITS.burst_at(100.0, None, GROWING)
    state.spend(60, new_selfies=0, has_found=True)
    assert LIMITS.burst_at(109.0, state, GROWING).searches == 60
    assert LIMITS.burst_at(118.0, state, GROWING).has_found
    again = LIMITS.burst_at(127.0, state, GROWING)
    assert LIMITS.burst_at(136.0, again, GROWING).searches == 0
    assert again.has_found
    assert not LIMITS.burst_at(146.1, again, GROWING).has_found
