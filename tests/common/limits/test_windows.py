from hypothesis import assume, given
from hypothesis import strategies as st

from libs.common.limits.windows import Windows, seconds_until_room

counts = st.integers(0, 1000)


@given(st.integers(0, 10), counts, counts, st.integers(-2, 5))
def test_a_window_becomes_the_former_one_and_then_nothing(
    number: int, present: int, former: int, later: int
) -> None:
    moved = Windows(number, present, former).at(number + later)
    if later <= 0:
        assert moved == Windows(number, present, former)
    else:
        assert moved == Windows(number + later, 0, present if later == 1 else 0)


@given(st.integers(1, 1000), st.integers(10, 3600), counts, counts, st.floats(0, 1))
def test_after_the_time_that_is_told_one_more_is_within_and_not_much_earlier(
    amount: int, window_seconds: int, former: int, present: int, left: float
) -> None:
    before = Windows(0, min(present, amount), min(former, amount))

    def is_within(after_seconds: float) -> bool:
        passed = (1 - left) + after_seconds / window_seconds
        return before.at(int(passed)).weighted(1 - passed % 1) + 1 <= amount + 1e-6

    assume(not is_within(0))
    wait = seconds_until_room(
        before.former,
        before.present,
        left_seconds=left * window_seconds,
        amount=amount,
        window_seconds=window_seconds,
    )
    assert wait >= 1
    assert is_within(wait)
    assert wait < 2 or not is_within(wait - 2)
