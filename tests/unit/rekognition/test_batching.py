from services.recognition.rekognition.batching import (
    FIRST_BATCH_SECONDS,
    QUIET_SECONDS,
    BatchLimits,
    Waiting,
)

LIMITS = BatchLimits(photos=100, seconds=10)
GROWING = Waiting(photos=5, photos_to_come=3, quiet_seconds=0.1, selfies=20)


def is_closed(waiting: Waiting, waited_seconds: float = 0.2, patience: float = 1) -> bool:
    return LIMITS.is_closed(waiting, waited_seconds=waited_seconds, patience=patience)


def test_a_batch_stays_open_while_photos_come() -> None:
    assert not is_closed(GROWING)
    assert not is_closed(Waiting(5, photos_to_come=0, quiet_seconds=0.1, selfies=20))
    assert not is_closed(Waiting(5, photos_to_come=1, quiet_seconds=60, selfies=20))


def test_a_batch_closes_when_it_is_full() -> None:
    assert is_closed(Waiting(100, photos_to_come=3, quiet_seconds=0.1, selfies=20))


def test_a_batch_closes_when_its_time_is_up() -> None:
    assert is_closed(GROWING, waited_seconds=1.0)


def test_a_batch_closes_when_no_photo_is_left_and_none_was_sent_lately() -> None:
    assert is_closed(Waiting(1, photos_to_come=0, quiet_seconds=QUIET_SECONDS, selfies=20))


def test_photos_that_cost_nothing_do_not_wait() -> None:
    assert is_closed(Waiting(5, photos_to_come=3, quiet_seconds=0, selfies=0))


def test_the_first_batch_of_a_burst_closes_early_and_the_next_may_take_their_time() -> None:
    assert LIMITS.patience(None) == FIRST_BATCH_SECONDS
    assert LIMITS.patience(2.0) == 10
    assert LIMITS.patience(11.0) == FIRST_BATCH_SECONDS


def test_no_batch_waits_longer_than_the_operator_allows() -> None:
    assert BatchLimits(photos=100, seconds=0.2).patience(None) == 0.2
