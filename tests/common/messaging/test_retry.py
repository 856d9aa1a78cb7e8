import errno
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from libs.common.errors import PermanentError, TransientError, Unavailable
from libs.common.messaging.bus.retry import (
    OUTAGE_PATIENCE_SECONDS,
    DeadLetter,
    Retry,
    RetryPolicy,
    decide,
)

POLICY = RetryPolicy(delays_seconds=(5.0, 60.0))


class Body(BaseModel):
    photo_id: int


def validation_error() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Body.model_validate_json("{}")
    return caught.value


@pytest.mark.parametrize("error", [TransientError("away"), RuntimeError("a defect")])
def test_what_may_pass_is_retried_after_growing_delays_and_then_given_up(error: Exception) -> None:
    assert decide(error, 1, POLICY) == Retry(5.0)
    assert decide(error, 2, POLICY) == Retry(60.0)
    assert decide(error, 3, POLICY) == DeadLetter(f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("error", [PermanentError("not an image"), validation_error()])
def test_what_can_never_work_is_given_up_at_once(error: Exception) -> None:
    assert isinstance(decide(error, 1, POLICY), DeadLetter)


@pytest.mark.parametrize("error", [PermanentError("no"), TransientError("away")])
def test_a_policy_that_never_gives_up_repeats_its_last_delay(error: Exception) -> None:
    policy = replace(POLICY, gives_up=False)
    assert [decide(error, attempt, policy) for attempt in (1, 2, 3, 99)] == [
        Retry(5.0),
        Retry(60.0),
        Retry(60.0),
        Retry(60.0),
    ]


@pytest.mark.parametrize("attempt", [1, 3])
@pytest.mark.parametrize(
    "away", [Unavailable("the store is away"), OSError(errno.ENOSPC, "full"), MemoryError()]
)
def test_what_is_away_is_waited_for_by_a_count_of_its_own(attempt: int, away: Exception) -> None:
    assert [decide(away, attempt, POLICY, waits=waits) for waits in (0, 1, 11, 12, 50)] == [
        Retry(5.0, is_wait=True),
        Retry(5.0, is_wait=True),
        Retry(5.0, is_wait=True),
        Retry(60.0, is_wait=True),
        Retry(60.0, is_wait=True),
    ]


@given(
    st.lists(st.integers(1, 600), min_size=1, max_size=4, unique=True).map(sorted),
    st.integers(0, 200),
)
def test_a_wait_is_no_longer_than_what_was_waited_before(delays: list[int], waits: int) -> None:
    policy = RetryPolicy(delays_seconds=tuple(delays))
    waited = 0.0
    for number in range(waits):
        assert policy.waited_seconds(number) == waited
        assert policy.wait_seconds(number) <= max(waited, delays[0])
        waited += policy.wait_seconds(number)


def test_a_message_that_waited_through_an_outage_has_all_its_attempts_left() -> None:
    error = TransientError("a defect")
    assert decide(error, 1, POLICY, waits=50) == Retry(5.0)
    assert decide(error, 2, POLICY, waits=50) == Retry(60.0)


def test_what_stays_away_for_an_hour_is_given_up() -> None:
    away = Unavailable("the store is away")
    waits = itertools.takewhile(
        lambda waits: isinstance(decide(away, 1, POLICY, waits=waits), Retry), itertools.count()
    )
    waited = sum(POLICY.wait_seconds(number) for number in waits)
    assert OUTAGE_PATIENCE_SECONDS <= waited <= OUTAGE_PATIENCE_SECONDS + 60


def test_a_policy_that_never_gives_up_waits_for_longer_than_an_hour() -> None:
    policy = replace(POLICY, gives_up=False)
    away = Unavailable("the database is away")
    assert decide(away, 1, policy, waits=10_000) == Retry(60.0, is_wait=True)


def test_a_reason_is_short_enough_for_a_header() -> None:
    decision = decide(PermanentError("x" * 5000), 1, POLICY)
    assert isinstance(decision, DeadLetter)
    assert len(decision.reason) == 1000
